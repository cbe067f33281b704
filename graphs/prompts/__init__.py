"""Prompts of the llm, as text files."""
