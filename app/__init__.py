"""The service: the only layer that touches the world."""
