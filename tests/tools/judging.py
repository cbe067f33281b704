"""What tests of data quality share: rules, facts to judge by, and what became of a signal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from tests.builders import NOW, a_forecast, a_position, a_snapshot
from tools.findings import Finding, QualityContext, QualityRules, QualityVerdict
from tools.inventory import SiteSku
from tools.quality import judge
from tools.signals import SignalData

ACCEPTED, WARNED, QUARANTINED = QualityVerdict

RULES = QualityRules(
    stale_after_hours=24,
    stale_verdict=WARNED,
    missing_verdict=WARNED,
    future_minutes_max=5,
    jump_sds=6,
    jump_units_min=10,
    impossible_days=1_000,
    impossible_units_min=3_000,
    forecast_factor_max=5,
    forecast_daily_e6_min=2_000_000,
    overdue_days_max=14,
    lead_time_change_days_max=10,
)


def a_context(covered_before: Iterable[SiteSku] = (), rules: QualityRules = RULES, **facts: Any) -> QualityContext:
    """The default network, counted two days ago: 10 units at each store, and a Poisson demand of 2 a day."""
    before = NOW - timedelta(days=2)
    defaults: dict[str, Any] = {
        "positions": (a_position("S1", as_of=before), a_position("S2", as_of=before)),
        "forecasts": (a_forecast("S1", daily_units=2.0), a_forecast("S2", daily_units=2.0)),
        "replenishments": (),
    }
    return QualityContext(a_snapshot(**defaults | facts), NOW, rules, frozenset(covered_before))


def the_finding(data: SignalData, context: QualityContext) -> Finding:
    """The only finding, which decides what becomes of the signal."""
    judgement = judge(data, context)
    assert len(judgement.findings) == 1
    assert judgement.verdict is judgement.findings[0].verdict
    return judgement.findings[0]


def passes(data: SignalData, context: QualityContext) -> bool:
    """Whether the signal is accepted as it is."""
    judgement = judge(data, context)
    return judgement.findings == () and judgement.verdict is ACCEPTED and not judgement.quarantined_readings
