"""How a plan was negotiated: the record of it, what an llm may say to it, and all of it in words."""
