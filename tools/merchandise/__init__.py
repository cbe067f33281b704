"""Merchandise: sets, displays, lots, ends of life, markdowns, substitutes, and how urgent a transfer is.

`facts` holds what a network states about them and is imported by `tools.inventory`,
so this package has no imports of its own: take what you need from its modules.
"""
