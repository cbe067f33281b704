"""Words about a transfer order for people: what came of an arrival, and what is to be known only while something is in transit."""

from __future__ import annotations

from tools.counted import counted

OF_TRANSIT = ("what is still in transit ", "the goods are called back and in transit still, ")
"""How words begin that are to be known for as long as something is in transit."""
_BETWEEN = "; "


def said(attention: str | None, *, of_transit: bool) -> str:
    """What is to be known of an order for as long as something is in transit, or all the rest of what stands there."""
    parts = (attention or "").split(_BETWEEN)
    return _BETWEEN.join(words for words in parts if words.startswith(OF_TRANSIT) is of_transit)


def words_on_arrival(over: int, damaged: int, lost: int, broken: int) -> str:
    """What people should know of goods that came too many, damaged or not at all. Nothing where all is well."""
    told = []
    if over:
        told.append(f"{counted(over, 'unit')} more arrived than had left: count both ends")
    if damaged:
        told.append(f"{counted(damaged, 'unit')} arrived damaged")
    if lost:
        told.append(f"{counted(lost, 'unit')} never arrived")
    if broken:
        told.append(f"{counted(broken, 'unit')} more arrived damaged than had left: count both ends")
    return _BETWEEN.join(told)
