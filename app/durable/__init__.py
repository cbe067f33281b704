"""Durable work: what was decided is carried out, through any crash."""
