"""How fast and how good, as a ratio against a named alternative in the same run. Nothing here is a test."""
