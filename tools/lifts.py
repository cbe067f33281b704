"""One limit of facts, policy or request taken away, as if somebody had done so: the question for the solver that results.

Nothing is written anywhere. A lift is named by the code of the constraint and by a
lane and SKU that it concerns; it says how the limit is taken away and how people
would say it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tools.inventory import Lane, LaneKey, Site, SiteSku, Snapshot
from tools.planning import Limits
from tools.transfers import PlanRequest


@dataclass(frozen=True)
class Question:
    """What a plan is asked for: facts, limits and request."""

    snapshot: Snapshot
    limits: Limits
    request: PlanRequest


@dataclass(frozen=True, order=True)
class Lift:
    """A limit to be taken away: the code of the constraint, and a lane and SKU that it holds for.

    Two lifts of one code and place are the same, whichever line they come from.
    """

    code: str
    place: str
    lane: LaneKey = field(compare=False)
    sku_id: str = field(compare=False)

    def applied(self, question: Question) -> Question:
        """The question without the limit."""
        return _LIFTS[self.code][1](question, self.lane, self.sku_id)

    def words(self, amount: str) -> str:
        """What would have to be done, by how much if the limit is a quantity."""
        text = _LIFTS[self.code][2]
        return text.format(
            by=f" by {amount}" if amount else "", lane=self.lane.label, sku=self.sku_id,
            origin=self.lane.origin, destination=self.lane.destination,
        )  # fmt: skip


def lift_of(code: str, lane: LaneKey, sku_id: str) -> Lift | None:
    """The lift for a constraint or obstacle of this code on a lane; None where nobody can take it away by deciding so."""
    if code not in _LIFTS:
        return None
    place = _LIFTS[code][0].format(lane=lane.label, sku=sku_id, origin=lane.origin, destination=lane.destination)
    return Lift(code, place, lane, sku_id)


Change = Callable[[Question, LaneKey, str], Question]


def _lane_without(**changes: Any) -> Change:
    def change(question: Question, key: LaneKey, _: str) -> Question:
        def lifted(lane: Lane) -> Lane:
            return replace(lane, **changes) if lane.key == key else lane

        snapshot = replace(question.snapshot, lanes=tuple(map(lifted, question.snapshot.lanes)))
        return replace(question, snapshot=snapshot)

    return change


def _site_without(end: int, **changes: Any) -> Change:
    def change(question: Question, key: LaneKey, _: str) -> Question:
        def lifted(site: Site) -> Site:
            return replace(site, **changes) if site.site_id == key[end] else site

        snapshot = replace(question.snapshot, sites=tuple(map(lifted, question.snapshot.sites)))
        return replace(question, snapshot=snapshot)

    return change


def _limits_without(**changes: Any) -> Change:
    return lambda question, _, __: replace(question, limits=replace(question.limits, **changes))


def _overlays_without(**changes: Any) -> Change:
    def change(question: Question, _: LaneKey, __: str) -> Question:
        overlays = question.request.overlays.model_copy(update=changes)
        return replace(question, request=question.request.model_copy(update={"overlays": overlays}))

    return change


def _without_key(name: str, key_of: Callable[[LaneKey, str], Any]) -> Change:
    """Limits without one entry of a mapping."""

    def change(question: Question, lane: LaneKey, sku_id: str) -> Question:
        mapping: Mapping[Any, Any] = getattr(question.limits, name)
        kept = {key: value for key, value in mapping.items() if key != key_of(lane, sku_id)}
        changes: dict[str, Any] = {name: kept}
        return replace(question, limits=replace(question.limits, **changes))

    return change


def _mode_allowed(question: Question, lane: LaneKey, sku_id: str) -> Question:
    """Limits under which the SKU may travel by the lane's mode, whatever its temperature."""
    limits, sku = question.limits, question.snapshot.sku_by_id[sku_id]
    modes = {**limits.temperature_modes}
    if sku.temperature in modes:
        modes[sku.temperature] = modes[sku.temperature] | {lane.mode}
    return replace(question, limits=replace(limits, temperature_modes=modes))


def _hazmat_allowed(question: Question, lane: LaneKey, _: str) -> Question:
    modes = question.limits.hazmat_modes
    allowed = None if modes is None else modes | {lane.mode}
    return replace(question, limits=replace(question.limits, hazmat_modes=allowed))


def _without_caps(name: str, end: int) -> Change:
    def change(question: Question, lane: LaneKey, sku_id: str) -> Question:
        caps = getattr(question.request.overlays, name)
        kept = tuple(cap for cap in caps if (cap.site_id, cap.sku_id) != (lane[end], sku_id))
        return _overlays_without(**{name: kept})(question, lane, sku_id)

    return change


def _in_any_time(question: Question, _: LaneKey, __: str) -> Question:
    return replace(question, request=question.request.model_copy(update={"within_days": None}))


def _not_excluded(name: str, is_meant: Callable[[Any, LaneKey, str], bool]) -> Change:
    def change(question: Question, lane: LaneKey, sku_id: str) -> Question:
        kept = tuple(each for each in getattr(question.request.overlays, name) if not is_meant(each, lane, sku_id))
        return _overlays_without(**{name: kept})(question, lane, sku_id)

    return change


def _origin_sku(lane: LaneKey, sku_id: str) -> SiteSku:
    return SiteSku(lane.origin, sku_id)


def _destination_sku(lane: LaneKey, sku_id: str) -> SiteSku:
    return SiteSku(lane.destination, sku_id)


_LIFTS: Mapping[str, tuple[str, Change, str]] = {
    "lane_capacity_microlitres": (
        "{lane}", _lane_without(capacity_microlitres_per_departure=None), "raise the capacity of {lane}{by}"),
    "inbound_units_per_day": (
        "{destination}", _site_without(1, inbound_units_per_day=None), "let {destination} take in more:{by}"),
    "outbound_units_per_day": (
        "{origin}", _site_without(0, outbound_units_per_day=None), "let {origin} send out more:{by}"),
    "storage_microlitres": (
        "{destination}", _site_without(1, storage_capacity_microlitres=None), "find room at {destination}{by}"),
    "lane_categories": ("{lane}", _lane_without(allowed_categories=()), "let {lane} carry {sku}"),
    "source_protection": (
        "{sku} at {origin}", _without_key("protected_units", _origin_sku), "lend what {origin} must keep of {sku}{by}"),
    "closed_lane": ("{lane}", _without_key("closed_lanes", lambda lane, _: lane), "reopen {lane}"),
    "closed_line": (
        "{sku} {lane}", _without_key("closed_lines", lambda lane, sku_id: (lane, sku_id)), "let {sku} travel {lane}"),
    "no_send": ("{sku} at {origin}", _without_key("no_send", _origin_sku), "let {origin} send {sku} all the same"),
    "no_receive": (
        "{sku} at {destination}", _without_key("no_receive", _destination_sku),
        "let {destination} receive {sku} all the same"),
    "temperature": ("{sku} {lane}", _mode_allowed, "let {sku} travel {lane} whatever its temperature"),
    "hazmat": ("{lane}", _hazmat_allowed, "let dangerous goods travel {lane}"),
    "units_per_line": ("", _limits_without(line_units_max=None), "allow larger lines{by}"),
    "plan_units": ("", _limits_without(units_max=None), "move more in one plan{by}"),
    "plan_lines": ("", _limits_without(lines_max=None), "allow more lines in one plan{by}"),
    "plan_goods_value": (
        "", _limits_without(goods_value_max_minor=None), "move goods of more value in one plan{by}"),
    "request_units": ("", _overlays_without(max_units=None), "raise the most units of the request{by}"),
    "request_lines": ("", _overlays_without(max_lines=None), "raise the most lines of the request{by}"),
    "transport_budget": ("", _overlays_without(transport_budget_minor=None), "raise the budget{by}"),
    "send_cap": ("{sku} at {origin}", _without_caps("send_caps", 0), "let {origin} send more of {sku}{by}"),
    "receive_cap": (
        "{sku} at {destination}", _without_caps("receive_caps", 1), "let {destination} receive more of {sku}{by}"),
    "days_until_arrival": ("", _in_any_time, "allow more days until arrival{by}"),
    "excluded_lane": (
        "{lane}", _not_excluded("excluded_lanes", lambda ref, lane, _: ref.covers(lane)), "do not exclude {lane}"),
    "excluded_sku": (
        "{sku}", _not_excluded("excluded_skus", lambda each, _, sku_id: each == sku_id), "do not exclude {sku}"),
    "excluded_site": (
        "{origin} {destination}", _not_excluded("excluded_sites", lambda each, lane, _: each in lane[:2]),
        "do not exclude the sites of {lane}"),
    "excluded_line": (
        "{sku} {lane}",
        _not_excluded("excluded_lines", lambda r, lane, sku_id: (r.sku_id, r.origin, r.destination) == (sku_id, *lane[:2])),
        "do not exclude {sku} on {lane}"),
}  # fmt: skip
"""By code: what it concerns, how it is taken away, and how that is said."""
