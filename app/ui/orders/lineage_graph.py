"""The lineage of a transfer as boxes and arrows: signals, snapshot, policy, plan, decisions, order, ERP, receipts.

Geometry only: a template draws it, and lists the same boxes as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.lineage import LineageView
from app.ui.rendering import when_text
from app.ui.status_words import state_words

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, EDGE = 138, 66, 28, 14, 8
LINE_CHARACTERS_MAX, TITLE_CHARACTERS_MAX = 22, 18
_VERSION = re.compile(r"\.v\d+$")
ALIKE_MAX = 4
"""So many boxes stand in one column; what is beyond is counted in the last one."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that the transfer rests on or that came of it."""

    title: str
    lines: tuple[str, ...]
    href: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """Things of one kind. Arrows lead from each to all of the columns of `before`."""

    name: str
    items: tuple[Item, ...]
    before: tuple[int, ...]
    none: str = ""
    """What is said where there is nothing of the kind."""


@dataclass(frozen=True, slots=True)
class Box:
    """An item at its place; its lines are short enough to be drawn."""

    x: int
    y: int
    title: str
    lines: tuple[str, ...]
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """A curve, and the triangle at its end."""

    path: str
    head: str


@dataclass(frozen=True, slots=True)
class Graph:
    """What is drawn, and the same in words."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    columns: tuple[Column, ...] = field(default=())

    @property
    def words(self) -> str:
        """The picture in one sentence, for whoever does not see it."""
        parts = [
            f"{column.name}: {'; '.join(_said(item) for item in column.items) or column.none}"
            for column in self.columns
        ]
        return f"Where the transfer comes from and what became of it. {'. '.join(parts)}."


def graph_of(view: LineageView) -> Graph:
    """The graph of a transfer."""
    columns = tuple(_columns(view))
    places = [_alike(column.items, column.none) for column in columns]
    tallest = max(len(column) for column in places)
    height = tallest * BOX_HEIGHT + (tallest - 1) * GAP_Y + 2 * EDGE
    boxes: list[list[Box]] = []
    for number, column in enumerate(places):
        own = len(column) * BOX_HEIGHT + (len(column) - 1) * GAP_Y
        top = (height - own) // 2
        x = EDGE + number * (BOX_WIDTH + GAP_X)
        boxes.append([
            _box(x, top + row * (BOX_HEIGHT + GAP_Y), item, columns[number].name)
            for row, item in enumerate(column)
        ])  # fmt: skip
    arrows = [
        _arrow(one, other)
        for number, column in enumerate(columns)
        for source in column.before
        for one in boxes[source]
        for other in boxes[number]
    ]
    width = len(columns) * BOX_WIDTH + (len(columns) - 1) * GAP_X + 2 * EDGE
    return Graph(width, height, tuple(box for column in boxes for box in column), tuple(arrows), columns)


def _columns(view: LineageView) -> Iterator[Column]:
    order = view.order
    hidden = (Item(f"{view.signals_hidden} more", ("not about your sites",)),) if view.signals_hidden else ()
    yield Column(
        "Signals",
        tuple(
            Item(_signal_words(each.kind), (each.source, each.verdict, *_at(each.stated_at)))
            for each in view.signals
        ) + hidden,
        (), "no signal speaks of it",
    )  # fmt: skip
    yield Column("Snapshot", (Item("Facts as of", (when_text(view.snapshot_as_of), view.snapshot_digest[:12])),), (0,))
    yield Column("Rules", tuple(_rules(view)), (1,))
    yield Column(
        "Plan",
        (Item(f"Plan {order.plan_digest[:8]}", (f"line {order.line_no}", when_text(view.planned_at)), f"/queue/{order.approval_id}"),),
        (2,),
    )  # fmt: skip
    yield Column("Decisions", tuple(_decisions(view)), (3,), "nobody has decided yet")
    yield Column("Order", (Item(f"Order {str(order.transfer_id)[:8]}", (
        f"{order.units:,} of {order.sku_id}", f"{order.origin} → {order.destination}", state_words(order.state),
    ), f"/orders/{order.transfer_id}"),), (4,))  # fmt: skip
    erp = (Item(f"ERP {order.erp_id}", _first_at(view, "transfer_posted")),) if order.erp_id else ()
    yield Column("ERP", erp, (5,), "the ERP does not have it")
    yield Column("Receipts", tuple(_receipts(view)), (6,), "nothing has arrived")


def _rules(view: LineageView) -> Iterator[Item]:
    yield Item("Policy", (view.policy, view.policy_digest[:12]), "/governance/policies")
    found = view.provenance
    if found is not None:
        asked = "by an edit" if found.origin else found.llm or "no language model"
        yield Item("Made with", (asked, *(found.solver_versions[:2] or ["no solver"])))
    for each in view.predecessors:
        how = "not recorded" if each.provenance is None else each.provenance.asked_through
        facts = (f"of {each.requested_by}", how, when_text(each.planned_at))
        yield Item(f"Edited {each.plan_digest[:8]}", facts, f"/queue/{each.approval_id}")


def _decisions(view: LineageView) -> Iterator[Item]:
    href = f"/queue/{view.order.approval_id}"
    for each in view.signatures:
        by = "" if each.authority == each.signed_by else f"for {each.authority}"
        yield Item(f"Signed by {each.signed_by}", tuple(filter(None, (by, when_text(each.signed_at)))), href)
    decided = view.approval
    if decided.decided_by and decided.decided_at and not any(
        each.signed_by == decided.decided_by for each in view.signatures
    ):  # fmt: skip
        yield Item(f"{decided.status.capitalize()} by {decided.decided_by}", (when_text(decided.decided_at),), href)


def _receipts(view: LineageView) -> Iterator[Item]:
    for each in view.receipts:
        damaged = (f"{each.damaged_units:,} damaged",) if each.damaged_units else ()
        yield Item(f"{each.units:,} arrived", (*damaged, f"by {each.received_by}", when_text(each.received_at)))
    if not view.receipts and view.order.received_units:
        yield Item(f"{view.order.received_units:,} arrived", ("as the ERP says",))


def _first_at(view: LineageView, event_type: str) -> tuple[str, ...]:
    return next(((when_text(each.occurred_at),) for each in view.events if each.type == event_type), ())


def _at(instant: datetime | None) -> tuple[str, ...]:
    return () if instant is None else (when_text(instant),)


def _signal_words(kind: str) -> str:
    """`evenkeel.stock.v1` is `Stock`."""
    return _VERSION.sub("", kind).removeprefix("evenkeel.").replace("_", " ").replace(".", " ").capitalize()


def _alike(items: Sequence[Item], none: str) -> tuple[Item, ...]:
    """The items that are drawn: of many, the first ones and a count."""
    if not items:
        return (Item("–", (none,)),)
    if len(items) <= ALIKE_MAX:
        return tuple(items)
    left = len(items) - ALIKE_MAX + 1
    return (*items[: ALIKE_MAX - 1], Item(f"{left} more", ("see the list below",)))


def _box(x: int, y: int, item: Item, kind: str) -> Box:
    lines = tuple(_short(line.removesuffix(" UTC"), LINE_CHARACTERS_MAX) for line in item.lines[:3])
    return Box(x, y, _short(item.title, TITLE_CHARACTERS_MAX), lines, kind, _said(item))


def _arrow(one: Box, other: Box) -> Arrow:
    """From the right side of one to the left side of the other."""
    x1, y1 = one.x + BOX_WIDTH, one.y + BOX_HEIGHT // 2
    x2, y2 = other.x - 5, other.y + BOX_HEIGHT // 2
    bend = (x1 + x2) // 2
    path = f"M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}"
    return Arrow(path, f"{x2},{y2 - 4} {x2 + 5},{y2} {x2},{y2 + 4}")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _said(item: Item) -> str:
    return ", ".join(filter(None, (item.title, *item.lines)))
