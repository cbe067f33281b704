"""Deterministic calculators and the vocabulary: data in, data out.

Nothing here reads a clock, a file, the environment or a network, and nothing
draws unseeded randomness. The same input gives the same output, byte for byte.
"""
