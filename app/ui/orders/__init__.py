"""Transfer orders, their story, and where each comes from."""
