"""The overview: what is wrong now, and the ten figures."""
