"""Aligned columns for figures."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A title, and the columns under their headings; all but the first to the right."""
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    print(f"\n{title}")
    for row in (headings, *rows):
        first, *others = (cell for cell in row)
        cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
        print("  ".join(cells))
