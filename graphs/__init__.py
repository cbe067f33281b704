"""The agent: a LangGraph state machine that decides what to calculate next. It holds no tool that writes."""
