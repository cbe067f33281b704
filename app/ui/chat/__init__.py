"""The conversation with the agent, and its plan beside it."""
