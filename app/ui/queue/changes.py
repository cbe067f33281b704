"""What an edit has changed, line by line in words and numbers, for whoever reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphs.names import Names
from tools.money import money_text
from tools.plan_difference import OnTheWay, compare
from tools.transfers import TransferPlan


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """What the first plan and the edited one send of a SKU that way."""

    sku: str
    origin: str
    destination: str
    before: int
    after: int
    saving_before_minor: int
    saving_after_minor: int
    words: str


@dataclass(frozen=True, slots=True)
class Changes:
    """An edited plan against the first one: in a sentence, in figures (name, before, after), and line by line."""

    words: str
    figures: tuple[tuple[str, str, str], ...]
    lines: tuple[ChangedLine, ...]
    hidden: int


def changes_of(
    first: TransferPlan, edited: TransferPlan, names: Names, touches: Callable[[tuple[str, ...]], bool]
) -> Changes:
    """What was changed, as far as the reader's sites go."""
    found = compare(edited, first)
    lines, hidden = [], 0
    for change in found.changes:
        way = change.way
        if not touches((way.origin, way.destination)):
            hidden += 1
            continue
        before, after = _units(change.other), _units(change.plan)
        lines.append(
            ChangedLine(
                names.sku(way.sku_id), names.site(way.origin), names.site(way.destination), before, after,
                _saving(change.other), _saving(change.plan), _words(before, after),
            )
        )  # fmt: skip
    return Changes(_summary(first, edited, len(found.changes)), tuple(_figures(first, edited)), tuple(lines), hidden)


def _summary(first: TransferPlan, edited: TransferPlan, changes: int) -> str:
    fewer = first.units - edited.units
    lost = first.saving_minor - edited.saving_minor
    money = money_text(abs(lost), first.currency)
    moved = f"{abs(fewer):,} units {'fewer' if fewer >= 0 else 'more'}"
    saving = f"{money} {'less' if lost > 0 else 'more'}" if lost else "as much as before"
    return f"{changes:,} {'line was' if changes == 1 else 'lines were'} changed: {moved} move, and the plan saves {saving}."


def _figures(first: TransferPlan, edited: TransferPlan) -> list[tuple[str, str, str]]:
    def money(amount: int) -> str:
        return money_text(amount, first.currency)

    return [
        ("Lines", f"{len(first.lines):,}", f"{len(edited.lines):,}"),
        ("Units", f"{first.units:,}", f"{edited.units:,}"),
        ("Departures", f"{len(first.lanes):,}", f"{len(edited.lanes):,}"),
        ("Saving", money(first.saving_minor), money(edited.saving_minor)),
        ("Cost of moving", money(first.transfer_cost_minor), money(edited.transfer_cost_minor)),
        ("Value of goods", money(first.goods_value_minor), money(edited.goods_value_minor)),
    ]


def _units(sent: OnTheWay | None) -> int:
    return 0 if sent is None else sent.units


def _saving(sent: OnTheWay | None) -> int:
    return 0 if sent is None else sent.saving_minor


def _words(before: int, after: int) -> str:
    if not after:
        return "taken out"
    if not before:
        return "new"
    if after == before:
        return "another day or value"
    return f"{abs(before - after):,} units {'fewer' if after < before else 'more'}"
