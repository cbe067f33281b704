"""The HTTP door: `/v1`, health, and one page."""
