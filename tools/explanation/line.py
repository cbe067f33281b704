"""A line explained: benefit, cost, what happens without it, what binds it, who came second, and what would change it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from tools.demand import DemandView
from tools.explanation import words
from tools.explanation.ends import EndOfLine, end_of_line
from tools.explanation.sensitivity import Sensitivity, sensitivity_of, sites_of_demand
from tools.explanation.sources import OtherSource, Replaced, Sources, lanes_instead
from tools.explanation.worth import SkuWorth
from tools.inventory import SiteSku, Snapshot
from tools.merchandise.urgency import LineUrgency
from tools.planning import Limits, Move, moves_of
from tools.planning.breaches import departure_key
from tools.planning.room import Constraint, Room
from tools.transfers import DemandChange, TransferLine, TransferPlan
from tools.whatif import assumed


@dataclass(frozen=True, slots=True)
class LineExplanation:
    """A line with both ends and its money, in minor units.

    `saving_minor` is the line's share of the plan's benefit after its own cost, and
    `worth_minor` what the plan would save less without it: its departure counts there
    if nothing else travels on it, and another line may take over part of its benefit.
    `sources_seen` is how many other lanes could have brought the SKU.
    """

    line_no: int
    sku_id: str
    units: int
    mode: str
    donor: EndOfLine
    receiver: EndOfLine
    saving_minor: int
    move_cost_minor: int
    worth_minor: int
    departure_cost_minor: int
    departure_volume_microlitres: int
    lines_on_departure: int
    currency: str
    constraints: tuple[Constraint, ...]
    sources_seen: int
    runner_up: OtherSource | None
    barred: OtherSource | None
    sensitivity: Sensitivity
    urgency: LineUrgency | None = None

    @property
    def benefit_minor(self) -> int:
        """What the line brings before its own cost."""
        return self.saving_minor + self.move_cost_minor

    @property
    def binding(self) -> tuple[Constraint, ...]:
        """The limits that keep the line from being a pack larger, or smaller where a least quantity holds it."""
        return tuple(constraint for constraint in self.constraints if constraint.binding)

    @property
    def words(self) -> str:
        """The explanation for people. Every number in it is one of the numbers here."""
        sentences = (
            "" if self.urgency is None else self.urgency.words,
            *words.of_ends(self.donor, self.receiver, self.units, self.currency),
            words.of_money(self),
            words.of_limits(self.binding, self.currency),
            words.of_sources(self),
            words.of_sensitivity(self),
        )
        return " ".join(sentence for sentence in sentences if sentence)


def explain_line(
    snapshot: Snapshot,
    limits: Limits,
    plan: TransferPlan,
    line_no: int,
    within: Iterable[str] | None = None,
    urgency: LineUrgency | None = None,
) -> LineExplanation:
    """Explain one line of a plan made on this snapshot under these limits.

    `within` are the sites whose figures may be told; None means all. `urgency` is what
    policy calls the line, if anybody has asked. Raises IndexError when the plan has no
    such line.
    """
    return Explainer(snapshot, limits, plan, within).line(line_no, urgency)


class Explainer:
    """Explains the lines of one plan; what they have in common is worked out once."""

    def __init__(
        self, snapshot: Snapshot, limits: Limits, plan: TransferPlan, within: Iterable[str] | None = None
    ) -> None:
        self._plan, self._limits = plan, limits
        self._facts = assumed(snapshot, plan.request.overlays)
        self._within = None if within is None else frozenset(within)
        self._view = DemandView(self._facts, limits.default_horizon_days)
        self._moves = moves_of(plan)

    @cached_property
    def _room(self) -> Room:
        return Room(self._facts, self._limits, self._plan.request, self._moves)

    def line(self, line_no: int, urgency: LineUrgency | None = None) -> LineExplanation:
        """One line explained, with what policy calls it. Raises IndexError when the plan has no such line."""
        lines = self._plan.lines
        if not 1 <= line_no <= len(lines):
            raise IndexError(f"the plan has {len(lines)} lines; there is no line {line_no}")
        line, move = lines[line_no - 1], self._moves[line_no - 1]
        load = next(load for load in self._plan.lanes if line.line_no in load.line_nos)
        priced = _Priced(self._facts, self._limits, self._plan, (line, move, self._moves), self._within)
        runner_up, barred = priced.sources()
        lane, sku = self._facts.lane_by_key[line.lane], self._facts.sku_by_id[line.sku_id]
        return LineExplanation(
            line_no=line_no,
            sku_id=line.sku_id,
            units=line.units,
            mode=line.mode,
            donor=self._end(line, line.origin),
            receiver=self._end(line, line.destination),
            saving_minor=line.saving_minor,
            move_cost_minor=line.move_cost_minor,
            worth_minor=round(priced.worth),
            departure_cost_minor=load.fixed_cost_minor,
            departure_volume_microlitres=load.volume_microlitres,
            lines_on_departure=len(load.line_nos),
            currency=self._plan.currency,
            constraints=self._room.of_line(lane, sku, depart_on=line.depart_on),
            sources_seen=len(priced.lanes),
            runner_up=runner_up,
            barred=barred,
            sensitivity=priced.sensitivity(),
            urgency=urgency,
        )

    def _end(self, line: TransferLine, site_id: str) -> EndOfLine:
        key = SiteSku(site_id, line.sku_id)
        whole = self._plan.received_units.get(key, 0) - self._plan.sent_units.get(key, 0)
        own = line.units if site_id == line.destination else -line.units
        return end_of_line(self._facts, self._view, self._limits, key, (whole - own, whole))


class _Priced:
    """One line priced against the rest of its plan."""

    def __init__(
        self,
        facts: Snapshot,
        limits: Limits,
        plan: TransferPlan,
        of: tuple[TransferLine, Move, tuple[Move, ...]],
        within: frozenset[str] | None,
    ) -> None:
        self._facts, self._limits, self._request = facts, limits, plan.request
        self._line, self._move, moves = of
        others = tuple(move for move in moves if move != self._move)
        same_sku = tuple(move for move in others if move.sku_id == self._move.sku_id)
        self._replaced = Replaced(self._move, same_sku, others)
        self.lanes = lanes_instead(facts, limits, self._move, within)
        sites = {site for move in (*same_sku, self._move) for site in move.lane[:2]}
        sites |= {lane.origin for lane in self.lanes}
        sku = facts.sku_by_id[self._move.sku_id]
        self._sku_worth = SkuWorth(facts, limits, plan.request, sku, frozenset(sites))
        own = departure_key(facts, limits, self._move)
        self._alone = all(departure_key(facts, limits, move) != own for move in others)

    @cached_property
    def worth(self) -> float:
        """What the plan would save less without the line."""
        return self._worth_under(())

    def _worth_under(self, changes: tuple[DemandChange, ...]) -> float:
        return self._sku_worth.added(self._replaced.of_sku, self._move, changes).saving - self._departure

    @cached_property
    def _departure(self) -> float:
        return self._sku_worth.fixed_cost(self._move.lane) if self._alone else 0.0

    def sources(self) -> tuple[OtherSource | None, OtherSource | None]:
        """The best other source, and a better one that is barred."""
        if not self.lanes:
            return None, None
        finder = Sources(self._facts, self._limits, self._request, self._sku_worth, self._replaced)
        return finder.best(self.lanes)

    def sensitivity(self) -> Sensitivity:
        """How far the line is from not paying."""
        limits = self._limits
        hurdle = limits.line_hurdle_minor + (limits.lane_hurdle_minor if self._alone else 0)
        ends = {"receiver": self._move.lane.destination, "donor": self._move.lane.origin}

        def change(end: str, percent: int) -> tuple[DemandChange, ...]:
            key = SiteSku(ends[end], self._move.sku_id)
            sites = sites_of_demand(self._facts, key)
            return (DemandChange(percent=percent, skus=(key.sku_id,), sites=sites),) if sites else ()

        def margin(end: str, percent: int) -> float:
            return self._worth_under(change(end, percent)) - hurdle

        def guide(end: str, percent: int) -> float:
            changed = {f"at_{end}": change(end, percent)}
            return self._sku_worth.roughly(self._replaced.of_sku, self._move, **changed) - self._departure - hurdle

        freight = self._line.move_cost_minor - limits.line_charge_minor
        return sensitivity_of(margin, guide, float(freight), self.worth - hurdle)
