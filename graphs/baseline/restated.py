"""A request in words, so that a planner sees what a follow-up was taken for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.baseline.sentences import listed
from graphs.baseline.understood import Call
from tools.counted import counted

_TOOLS = {
    "propose_plan": "a plan",
    "what_if": "a what-if",
    "find_imbalances": "imbalances",
    "coverage": "coverage",
    "signal_quality": "signal quality",
    "kpis": "key figures",
}


def in_words(asked: Call) -> str:
    """What is asked for, argument by argument; nothing for a tool without any."""
    if asked.tool not in _TOOLS:
        return ""
    parts = [part for name, value in asked.arguments.items() if (part := _part(name, value))]
    return f"I took that as: {_TOOLS[asked.tool]}{' ' if parts else ''}{', '.join(parts)}."


def _part(name: str, value: Any) -> str:
    if name in _NAMES and isinstance(value, list):
        return f"{_NAMES[name]} {listed([str(each) for each in value])}"
    if name in _LIMITS:
        return f"at most {counted(value, _LIMITS[name])}"
    return {
        "within_days": f"within {counted(value, 'day')}" if name == "within_days" else "",
        "transport_budget": f"for at most {value} of moving cost",
        "emergency_rescue": "as an emergency rescue",
        "demand_percent": f"at {value} % of the forecast demand",
        "supply_delay_days": f"with supply later by {value} days",
        "service_level_percent": f"at a service level of {value} %",
        "offset": f"after the first {value}",
    }.get(name, "")


_NAMES: Mapping[str, str] = {
    "kinds": "of the kind",
    "mentions": "for",
    "from_sites": "from",
    "to_sites": "to",
    "without": "without",
    "closed_lanes": "with closed lanes",
    "demand_of": "with other demand for",
    "supply_delay_of": "with late supply of",
}
_LIMITS: Mapping[str, str] = {"lines_max": "line", "units_max": "unit"}
