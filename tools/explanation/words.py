"""An explanation in sentences. Every number is read from the explanation, and rounded for reading only here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.counted import counted
from tools.explanation.ends import EndOfLine
from tools.explanation.sources import Barrier, OtherSource
from tools.money import money_text
from tools.planning.room import Constraint

if TYPE_CHECKING:
    from tools.explanation.line import LineExplanation

BINDING_SAID = 4
"""So many of the limits that bind are said; all of them are in the explanation."""

_LIMITS = {
    "available_stock": "{where}: {limit} are available and {used} are sent",
    "source_protection": "{where}: {limit} may be sent beyond what it must keep and {used} are sent",
    "pack_size": "{where}: {left} more could be sent, which is less than a pack of {limit}",
    "send_cap": "the request lets {where} send {limit} and {used} are sent",
    "units_per_line": "a line may carry {limit} and this one has {used}",
    "least_quantity": "a line must carry at least {limit} and this one has {used}",
    "lane_capacity_microlitres": "{where} carries {limit} and {used} are loaded, so {left} is left",
    "inbound_units_per_day": "{where} can take in {limit} and {used} arrive",
    "outbound_units_per_day": "{where} can send out {limit} and {used} leave",
    "lot_life": "{where}: {limit} last long enough and {used} are sent",
    "storage_microlitres": "{where} has room for {limit} and {used} are coming",
    "receive_cap": "the request lets {where} receive {limit} and {used} arrive",
    "plan_units": "a plan may move {limit} and this one moves {used}",
    "request_units": "the request admits {limit} and the plan moves {used}",
    "plan_lines": "a plan may have {limit} and this one has {used}",
    "request_lines": "the request admits {limit} and the plan has {used}",
    "plan_goods_value": "a plan may move goods for {limit} and this one moves {used}",
    "transport_budget": "the request allows {limit} of moving cost and the plan takes {used}",
}
_BARRIERS = {
    "source_protection": "{where} may send {allowed} and would have to send {found}",
    "days_until_arrival": "it would take {found} days and the request allows {allowed}",
    "least_quantity": "a line must carry at least {allowed} and it could send {found}",
    "units_per_line": "a line may carry {allowed} and it would need {found}",
    "inbound_units_per_day": "{where} can take in {allowed} and would get {found}",
    "outbound_units_per_day": "{where} can send out {allowed} and would have to send {found}",
    "sends_and_receives": "{where} receives the SKU in this plan",
}


def of_ends(donor: EndOfLine, receiver: EndOfLine, units: int, currency: str) -> tuple[str, str]:
    """What both ends have, need and risk without the line and with it."""
    to, at = receiver, donor
    at_receiver = (
        f"{to.site_id} has {to.available_units:,} available and expects to need {_e6(to.expected_demand_e6)} in the"
        f" {counted(to.days_until_supply, 'day')} until its regular supply: without this line it would run out with a"
        f" probability of {_percent(to.stock_out_without_ppm)} and lose {_e6(to.lost_without_e6)} sales"
        f" ({money_text(to.lost_without_minor, currency)}); after receiving {units:,} it is"
        f" {_percent(to.stock_out_with_ppm)} and {_e6(to.lost_with_e6)} ({money_text(to.lost_with_minor, currency)})."
    )
    at_donor = (
        f"{at.site_id} has {at.available_units:,} available for an expected {_e6(at.expected_demand_e6)} in"
        f" {counted(at.days_until_supply, 'day')}; sending {units:,} takes its risk from {_percent(at.stock_out_without_ppm)} to"
        f" {_percent(at.stock_out_with_ppm)} and what it expects to lose from {_e6(at.lost_without_e6)} to"
        f" {_e6(at.lost_with_e6)}."
    )
    return at_receiver, at_donor


def of_money(line: LineExplanation) -> str:
    """Benefit, cost, and what the plan would save less without the line."""
    count = line.lines_on_departure
    share = f", shared by {count} lines" if count > 1 else ""
    litres = _amount(line.departure_volume_microlitres, "microlitres", line.currency)
    return (
        f"The line brings {money_text(line.benefit_minor, line.currency)} for"
        f" {money_text(line.move_cost_minor, line.currency)} of its own cost, so it saves"
        f" {money_text(line.saving_minor, line.currency)}; its departure costs"
        f" {money_text(line.departure_cost_minor, line.currency)} with {litres} on it{share}. The plan without it would"
        f" save {_more(-line.worth_minor, line.currency)}."
    )


def of_limits(binding: tuple[Constraint, ...], currency: str) -> str:
    """The limits that keep the line from being larger, or smaller."""
    if not binding:
        return "No limit keeps it from being a pack larger; more would not pay."
    said = [of_limit(constraint, currency) for constraint in binding[:BINDING_SAID]]
    rest = " and other limits" if len(binding) > BINDING_SAID else ""
    return f"What binds it: {'; '.join(said)}{rest}."


def of_limit(constraint: Constraint, currency: str) -> str:
    """One limit: what it allows, and what the plan uses of it."""
    return _LIMITS[constraint.code].format(
        where=constraint.where,
        limit=_limit(constraint, currency),
        used=_amount(constraint.used, constraint.unit, currency),
        left=_amount(constraint.left, constraint.unit, currency),
    )


def _limit(constraint: Constraint, currency: str) -> str:
    limit = _amount(constraint.limit, constraint.unit, currency)
    if not constraint.booked:
        return limit
    return f"{limit} (what is free of {_amount(constraint.limit + constraint.booked, constraint.unit, currency)})"


def of_sources(line: LineExplanation) -> str:
    """The runner-up and why it lost, and a better source that a rule or limit keeps out."""
    if line.sources_seen == 0:
        return "No other site that holds the SKU has a lane there."
    currency, sentences = line.currency, []
    other = line.runner_up
    if other is None:
        sentences.append("No other source is permitted.")
    else:
        sentences.append(
            f"The next best source is {other.site_id} by {other.mode} with {other.units:,}: it would"
            f" {_saving(other.saving_minor, currency)}, {_more(-other.less_minor, currency)} than this line"
            f"{_departure_paid(line, other)}{_why_it_lost(other, currency)}."
        )
    if line.barred is not None:
        sentences.append(
            f"{line.barred.site_id} by {line.barred.mode} would {_saving(line.barred.saving_minor, currency)} with"
            f" {line.barred.units:,} but is barred: {_barrier(line.barred.barriers[0])}."
        )
    return " ".join(sentences)


def _departure_paid(line: LineExplanation, other: OtherSource) -> str:
    """What the line is compared by, where that is not what it was said to save: here each pays what it adds of departures."""
    if other.line_saving_minor == line.saving_minor:
        return ""
    return f", which by itself would {_saving(other.line_saving_minor, line.currency)} with its departure paid"


def of_sensitivity(line: LineExplanation) -> str:
    """What would have to change for the line not to pay."""
    found, currency = line.sensitivity, line.currency
    if not found.pays:
        return "By itself it does not pay; it is there for the sake of something else in the plan."
    falls, rises, percent = found.receiver_fall_percent, found.donor_rise_percent, found.freight_rise_percent
    at_receiver = (
        f"stops paying when demand at {line.receiver.site_id} falls by {falls:,} %"
        if falls is not None
        else f"pays whatever demand at {line.receiver.site_id} falls to"
    )
    at_donor = (
        f"stops paying when demand at {line.donor.site_id} rises by {rises:,} %"
        if rises is not None
        else f"pays however much demand at {line.donor.site_id} rises"
    )
    share = f" ({percent:,} %)" if percent is not None else ""
    return (
        f"It {at_receiver}, and {at_donor}; its freight of {money_text(found.freight_minor, currency)} could rise by"
        f" {money_text(found.margin_minor, currency)}{share} before it does not pay."
    )


def _why_it_lost(other: OtherSource, currency: str) -> str:
    """The parts of the difference that speak against the source, the largest first, and those that speak for it."""
    alone = other.own_departure and other.departure_minor > 0
    departure = "a departure that nothing else uses" if alone else "departures"
    parts = [
        (other.freight_minor, "freight"),
        (other.departure_minor, departure),
        (other.later_minor, "arriving later" if other.later_minor > 0 else "arriving sooner"),
        (other.loss_minor, f"what {other.site_id} would miss"),
        (
            other.fewer_minor,
            f"units that it cannot spare, of {other.available_units:,} with {other.protected_units:,} to keep",
        ),
    ]
    parts = sorted((part for part in parts if part[0]), key=lambda part: -part[0])
    said = [f"{_more(amount, currency)} for {what}" for amount, what in parts]
    return f" ({', '.join(said)})" if said else ""


def _barrier(barrier: Barrier) -> str:
    sentence = _BARRIERS.get(barrier.rule)
    if sentence is None:
        return f"{barrier.rule.replace('_', ' ')} at {barrier.where}"
    return sentence.format(where=barrier.where, allowed=f"{barrier.allowed:,}", found=f"{barrier.found:,}")


def _amount(amount: int, unit: str, currency: str) -> str:
    if unit == "minor":
        return money_text(amount, currency)
    if unit == "microlitres":
        return f"{amount / 1e6:,.1f} l"
    return f"{amount:,}" if unit == "units" else f"{amount:,} {unit}"


def _saving(amount_minor: int, currency: str) -> str:
    return f"{'save' if amount_minor >= 0 else 'cost'} {money_text(abs(amount_minor), currency)}"


def _more(amount_minor: int, currency: str) -> str:
    return f"{money_text(abs(amount_minor), currency)} {'more' if amount_minor > 0 else 'less'}"


def _percent(ppm: int) -> str:
    return f"{ppm / 1e4:.1f} %"


def _e6(amount: int) -> str:
    return f"{amount / 1e6:,.1f}"
