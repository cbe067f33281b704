"""How urgent a transfer line is: ordinary balancing, a rescue from a stock-out, or a rescue at the donor's expense."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tools.inventory import LaneKey


class Urgency(StrEnum):
    """The class of a line, the most urgent last."""

    BALANCE = "balance"
    STOCK_OUT_RESCUE = "stock_out_rescue"
    EMERGENCY_RESCUE = "emergency_rescue"


@dataclass(frozen=True, slots=True)
class LineUrgency:
    """The class of a line and why, in a sentence."""

    urgency: Urgency
    words: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a line as the plan finds and leaves them.

    `stock_out_bp` is the receiver's probability of running out before its regular
    supply without the plan; the donor keeps `keeps_units` ordinarily and has
    `left_units` available after the plan.
    """

    stock_out_bp: int
    keeps_units: int
    left_units: int


def urgency_of(sku_id: str, lane: LaneKey, ends: Ends, rescue_bp: int | None) -> LineUrgency:
    """The class of a line. Without `rescue_bp`, from which a stock-out is that likely, no line is an ordinary rescue.

    A donor that ends below what it ordinarily keeps makes the line an emergency rescue,
    whatever the receiver's need.
    """
    risk = f"{lane.destination} runs out of {sku_id} before its regular supply with {_percent(ends.stock_out_bp)}"
    if ends.left_units < ends.keeps_units:
        short = ends.keeps_units - ends.left_units
        words = (
            f"Emergency rescue: {lane.origin} keeps {ends.left_units:,} {sku_id}, {short:,} below the"
            f" {ends.keeps_units:,} that it ordinarily keeps for itself; without it {risk}."
        )
        return LineUrgency(Urgency.EMERGENCY_RESCUE, words)
    if rescue_bp is not None and ends.stock_out_bp >= rescue_bp:
        return LineUrgency(Urgency.STOCK_OUT_RESCUE, f"Rescue from a stock-out: without it {risk}.")
    return LineUrgency(Urgency.BALANCE, f"Balance: {risk}.")


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"
