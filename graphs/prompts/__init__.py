"""Prompts of the llm, as text files, and what makes a version of them."""
