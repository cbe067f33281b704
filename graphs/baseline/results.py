"""What the tools answer, as far as the baseline puts it into words. Text and whole numbers only, nothing coerced."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Result(BaseModel):
    """A result or a part of one; fields that are not needed here are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", populate_by_name=True)


class Refusal(Result):
    """The tool could not answer, and why."""

    error: str


class ImbalanceRow(Result):
    """One imbalance."""

    kind: str
    sku: str
    site: str
    units: int
    at_stake: str
    days_of_cover: int | None
    stock_out_percent: str
    until: str


class ImbalancesFound(Result):
    """Imbalances, the costliest first, and how many of each kind there are."""

    as_of: str
    counts: dict[str, int]
    imbalances: tuple[ImbalanceRow, ...]
    not_shown: int
    held_back_for_bad_data: int


class CoverageRow(Result):
    """Stock, demand and target of a SKU at a site."""

    sku: str
    site: str
    available_units: int
    demand_a_day: str
    days_of_cover: int | None
    runs_out_on: str | None
    stock_out_percent: str
    needs_units: int
    order_up_to_units: int
    days_until_supply: int


class CoverageFound(Result):
    """Coverage, the shortest first."""

    as_of: str
    rows: tuple[CoverageRow, ...]
    not_shown: int


class LineRow(Result):
    """One line of a plan."""

    line_no: int
    sku: str
    units: int
    origin: Annotated[str, Field(alias="from")]
    destination: Annotated[str, Field(alias="to")]
    by: str
    departs: str
    arrives: str
    saves: str


class PlanFigures(Result):
    """What a plan comes to. `gap_percent` is how far from the best possible it may be, None where nobody knows.

    `left_behind` says what had to leave a site and stays there.
    """

    lines: int
    units: int
    departures: int
    saves: str
    costs_to_move: str
    goods_value: str
    fill_rate_before_percent: str
    fill_rate_after_percent: str
    status: str
    gap_percent: str | None
    top_lines: tuple[LineRow, ...]
    note: str
    left_behind: tuple[str, ...] = ()
    left_behind_not_shown: int = 0


class PlanProposed(PlanFigures):
    """A plan with its id, what the checker found, and what policy costs it."""

    plan: str
    as_of: str
    outcome: str
    violations: tuple[str, ...]
    contested_pools: int
    concessions: tuple[str, ...]
    conflicts: tuple[str, ...] = ()


class NoPlan(Result):
    """There is no plan, and why; what blocks it, and what would help."""

    plan: None = None
    note: str
    concessions: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


class Comparison(Result):
    """The plan as things are beside the plan as they would be."""

    as_of: str
    as_things_are: PlanFigures | NoPlan
    what_if: PlanFigures | NoPlan
    purchase_orders_late: int | None = None


class LineExplained(Result):
    """Why a line is in the plan."""

    as_of: str
    line_no: int
    sku: str
    units: int
    origin: Annotated[str, Field(alias="from")]
    destination: Annotated[str, Field(alias="to")]
    words: str


class LineWords(Result):
    """Why one line of a plan is in it."""

    line_no: int
    words: str


class NegotiationExplained(Result):
    """How a plan was negotiated."""

    as_of: str
    plan: str
    words: str


class PlanExplained(Result):
    """A plan as a whole, in words."""

    as_of: str
    plan: str
    words: str
    why_lines: tuple[LineWords, ...]


class Changes(Result):
    """Lines that differ between two plans; only how many."""

    count: int


class PlansCompared(Result):
    """Two plans side by side, in words."""

    as_of: str
    words: str
    lines_the_same: int
    lines_only_in_plan: Changes
    lines_only_in_other: Changes
    lines_changed: Changes


class HeldRow(Result):
    """A stock position that no plan touches, and why."""

    sku: str
    site: str
    reason: str


class SignalsFound(Result):
    """How far the signals can be trusted."""

    as_of: str
    words: str
    held: tuple[HeldRow, ...]
    not_shown: int


class FiguresFound(Result):
    """Key figures in words."""

    as_of: str
    words: str


class BlockedExplained(Result):
    """Why a site does not get what it wants of a SKU."""

    as_of: str
    words: str


class WaitingRow(Result):
    """A plan that waits for a decision."""

    plan: str
    lines: int
    units: int
    saves: str
    requested_by: str
    expires_at: str


class DecidedRow(Result):
    """A request that waits no more."""

    plan: str
    status: str
    requested_by: str


class OrderRow(Result):
    """A transfer order."""

    sku: str
    units: int
    origin: Annotated[str, Field(alias="from")]
    destination: Annotated[str, Field(alias="to")]
    state: str
    arrives: str


class StatusFound(Result):
    """The queue and the orders."""

    waiting: tuple[WaitingRow, ...]
    decided: tuple[DecidedRow, ...] = ()
    orders: tuple[OrderRow, ...]


class PolicyFound(Result):
    """The policy in force, in words."""

    policy: str
    rules: dict[str, str]
    kill_switch_engaged: bool
    stopped: tuple[str, ...] = ()


class Submitted(Result):
    """The plan waits for a decision."""

    submitted: Literal[True]
    approval: str
    expires_at: str


class NotSubmitted(Result):
    """The plan did not get into the queue, and why."""

    submitted: Literal[False]
    note: str
