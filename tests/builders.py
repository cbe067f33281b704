"""Facts for tests: each builder makes one with sensible defaults, and every field can be given by name.

The default network has two stores, S1 and S2, one SKU, P1, and a daily van from
S1 to S2. Today is Monday, 2026-03-02.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from policies.library import released
from policies.schema import Policy
from tools.inventory import (
    DataHold,
    DemandForecast,
    InboundSupply,
    Lane,
    LaneKey,
    RecentMove,
    Replenishment,
    SalesObservation,
    Site,
    SiteKind,
    Sku,
    Snapshot,
    StockPosition,
    SupplyKind,
)
from tools.planning import Limits, Move
from tools.transfers import (
    FillRate,
    LaneLoad,
    PlanRequest,
    SolverRecord,
    SolveStatus,
    TransferLine,
    TransferPlan,
)

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
TODAY = NOW.date()


def in_days(days: int) -> date:
    """The date so many days after today."""
    return TODAY + timedelta(days=days)


def a_site(site_id: str = "S1", **fields: Any) -> Site:
    """A store."""
    return Site(**{"site_id": site_id, "name": f"Site {site_id}", "kind": SiteKind.STORE} | fields)


def a_dc(site_id: str = "DC1", **fields: Any) -> Site:
    """A distribution centre."""
    return a_site(site_id, **{"kind": SiteKind.DC} | fields)


def a_sku(sku_id: str = "P1", **fields: Any) -> Sku:
    """A SKU that costs 4.00, sells for 10.00 and takes a litre."""
    defaults: dict[str, Any] = {"unit_cost_e4": 40_000, "unit_price_e4": 100_000, "unit_volume_microlitres": 1_000_000}
    return Sku(**{"sku_id": sku_id, "name": f"SKU {sku_id}"} | defaults | fields)


def a_lane(origin: str = "S1", destination: str = "S2", mode: str = "van", **fields: Any) -> Lane:
    """A daily lane of one day and 5.00 for each departure."""
    defaults: dict[str, Any] = {"lead_time_days": 1, "cost_fixed_e4": 50_000}
    return Lane(**{"origin": origin, "destination": destination, "mode": mode} | defaults | fields)


def a_position(site_id: str = "S1", sku_id: str = "P1", on_hand_units: int = 10, **fields: Any) -> StockPosition:
    """Units on hand now, none of them reserved."""
    named: dict[str, Any] = {"site_id": site_id, "sku_id": sku_id, "on_hand_units": on_hand_units}
    return StockPosition(**named | {"reserved_units": 0, "as_of": NOW} | fields)


def a_supply(site_id: str = "S1", sku_id: str = "P1", units: int = 5, days: int = 3, **fields: Any) -> InboundSupply:
    """A purchase order that arrives in so many days."""
    named: dict[str, Any] = {"site_id": site_id, "sku_id": sku_id, "units": units, "expected_on": in_days(days)}
    return InboundSupply(**named | {"kind": SupplyKind.PURCHASE_ORDER, "reference": "PO-1"} | fields)


def a_forecast(
    site_id: str = "S1", sku_id: str = "P1", daily_units: float = 1.0, dispersion: float = 1.0, **fields: Any
) -> DemandForecast:
    """A level forecast: so many units a day, with the variance `dispersion` times as large."""
    mean_e6 = round(daily_units * 1_000_000)
    named: dict[str, Any] = {"site_id": site_id, "sku_id": sku_id, "method": "given", "first_on": TODAY}
    return DemandForecast(**named | {"mean_e6": (mean_e6,), "variance_e6": (round(mean_e6 * dispersion),)} | fields)


def a_replenishment(site_id: str = "S1", sku_id: str = "P1", days: int = 7, **fields: Any) -> Replenishment:
    """Regular supply that comes in so many days, and every seven days from then on."""
    named: dict[str, Any] = {"site_id": site_id, "sku_id": sku_id, "next_arrival_on": in_days(days)}
    return Replenishment(**named | {"review_period_days": 7} | fields)


def a_hold(site_id: str = "S1", sku_id: str = "P1", **fields: Any) -> DataHold:
    """A data hold after a stock count that made no sense."""
    defaults: dict[str, Any] = {"check": "negative", "reason": "counted -3 units"}
    return DataHold(**{"site_id": site_id, "sku_id": sku_id} | defaults | fields)


def weekly_sales(
    *units: int, site_id: str = "S1", sku_id: str = "P1", until: date = TODAY, stock_outs: tuple[int, ...] = ()
) -> tuple[SalesObservation, ...]:
    """Sales of consecutive weeks, the last of which ended on the eve of `until`; `stock_outs` are positions in it."""
    first = until - timedelta(weeks=len(units))
    return tuple(
        SalesObservation(site_id, sku_id, first + timedelta(weeks=week), sold, week not in stock_outs)
        for week, sold in enumerate(units)
    )


def a_snapshot(**fields: Any) -> Snapshot:
    """The default network, sorted by id, with whatever fields are given in place of its own."""
    defaults: dict[str, Any] = {
        "as_of": NOW,
        "currency": "USD",
        "sites": (a_site("S1"), a_site("S2")),
        "skus": (a_sku("P1"),),
        "lanes": (a_lane("S1", "S2"),),
        "positions": (a_position("S1"), a_position("S2")),
        "forecasts": (a_forecast("S1"), a_forecast("S2")),
        "replenishments": (a_replenishment("S1"), a_replenishment("S2")),
    }
    return Snapshot(**{name: _sorted(value) for name, value in (defaults | fields).items()})


def _sorted(value: Any) -> Any:
    return tuple(sorted(value, key=_ids)) if isinstance(value, tuple | list) else value


def _ids(row: Any) -> tuple[str, ...]:
    names = ("site_id", "sku_id", "origin", "destination", "mode", "reference")
    return tuple(getattr(row, name, "") for name in names)


FOLDER = {
    "sites.csv": "site_id,name,kind,region,latitude,timezone\nDC1,Centre,dc,north,,\nS1,North store,store,north,52.5,\nS2,South store,store,south,,UTC\n",
    "skus.csv": "sku_id,name,category,unit_cost,unit_price,currency,pack_size,unit_volume_litres\nP1,Oat drink,drinks,2.10,3.4999,EUR,6,1.05\nP2,Rice,,1,2.5,EUR,,\n",
    "lanes.csv": 'origin,destination,mode,lead_time_days,cost_fixed,departure_weekdays\nDC1,S1,truck,2,25,"1,3,5"\nS1,S2,van,1,9.5,*\n',
    "stock.csv": "site_id,sku_id,on_hand,reserved,as_of\nDC1,P1,100,0,2026-03-02T05:00:00Z\nS1,P1,7,2,2026-03-02T05:00:00Z\nS2,P2,3,,2026-03-02T06:00+01:00\n",
    "inbound.csv": "site_id,sku_id,units,expected_on,reference\nS1,P1,6,2026-03-05,PO-1\n",
    "sales.csv": "date,site_id,sku_id,units,in_stock\n2026-02-16,S1,P1,5,1\n2026-02-23,S1,P1,4,0\n",
    "forecast.csv": "site_id,sku_id,date,mean,variance\nS1,P1,2026-03-02,0.75,1.5\n",
    "replenishment.csv": "site_id,sku_id,next_arrival_on,review_period_days\nS1,P1,2026-03-09,7\n",
}  # fmt: skip
"""A sound folder of the import format, counted just before `NOW`."""


def a_folder(**files: str | bytes | None) -> dict[str, bytes]:
    """The sound folder as bytes, with files replaced by name without `.csv`, or left out where None is given."""
    texts: dict[str, str | bytes | None] = FOLDER | {f"{name}.csv": text for name, text in files.items()}
    return {name: text.encode() if isinstance(text, str) else text for name, text in texts.items() if text is not None}


def a_recent_move(site_id: str = "S1", sku_id: str = "P1", *, sent: bool = False, days_ago: int = 3) -> RecentMove:
    """A SKU that a transfer brought to the site (or took from it) so many days ago."""
    return RecentMove(site_id, sku_id, sent, in_days(-days_ago))


def limits_for(*skus: str, **fields: Any) -> Limits:
    """Limits without any limit: a lost unit costs 6.00 and a unit left over 0.08, for P1 or the SKUs given."""
    defaults: dict[str, Any] = {
        "policy_digest": "0" * 64,
        "lost_unit_e4": dict.fromkeys(skus or ("P1",), 60_000),
        "leftover_unit_e4": dict.fromkeys(skus or ("P1",), 800),
    }
    return Limits(**defaults | fields)


def a_move(packs: int = 5, origin: str = "S1", destination: str = "S2", sku_id: str = "P1", mode: str = "van") -> Move:
    """So many packs of P1 from S1 to S2."""
    return Move(LaneKey(origin, destination, mode), sku_id, packs)


def a_policy(**sections: Any) -> Policy:
    """The first released policy, with fields of its sections replaced: `a_policy(size={"line_units_max": 3})`."""
    document = released("2026-01").model_dump(mode="json")
    for name, value in sections.items():
        document[name] = document.get(name, {}) | value if isinstance(value, dict) else value
    return Policy.model_validate_json(json.dumps(document))


def with_merchandise(**fields: Any) -> Policy:
    """The first released policy with the section on merchandise of the third, and fields of that section replaced."""
    section = released("2026-11").model_dump(mode="json")["merchandise"]
    return a_policy(merchandise=section | fields)


def a_needy_network(**fields: Any) -> Snapshot:
    """S1 has 100 units that nobody there asks for; S2 has none, sells a hundred a day, and is supplied in 7 days.

    Whatever reaches S2 is sold for certain, and nothing that leaves S1 is missed, so
    money can be worked out by hand.
    """
    defaults: dict[str, Any] = {
        "positions": (a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=0)),
        "forecasts": (a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=100)),
    }
    return a_snapshot(**defaults | fields)


def a_line(line_no: int = 1, units: int = 5, **fields: Any) -> TransferLine:
    """Units of P1 from S1 to S2 under the first released policy, on the needy network: an approval takes a day.

    A unit saves 7.20 (120 % of the margin of 6.00) at S2 and 0.08 (2 % of the cost of
    4.00) at S1; the line itself costs 0.50.
    """
    named: dict[str, Any] = {"line_no": line_no, "sku_id": "P1", "origin": "S1", "destination": "S2", "mode": "van"}
    defaults: dict[str, Any] = {
        "units": units,
        "packs": units,
        "depart_on": in_days(1),
        "arrive_on": in_days(2),
        "saving_minor": 728 * units - 50,
        "move_cost_minor": 50,
        "goods_value_minor": 400 * units,
    }
    return TransferLine(**named | defaults | fields)


def a_load(*lines: TransferLine, fixed_cost_minor: int = 500, **fields: Any) -> LaneLoad:
    """The departure that all these lines travel on, for 5.00 and with a litre for each unit."""
    defaults: dict[str, Any] = {
        "origin": lines[0].origin,
        "destination": lines[0].destination,
        "mode": lines[0].mode,
        "depart_on": lines[0].depart_on,
        "arrive_on": lines[0].arrive_on,
        "volume_microlitres": sum(line.units for line in lines) * 1_000_000,
        "fixed_cost_minor": fixed_cost_minor,
        "line_nos": tuple(line.line_no for line in lines),
    }
    return LaneLoad(**defaults | fields)


def a_plan(
    *lines: TransferLine, snapshot: Snapshot | None = None, policy: Policy | None = None, **fields: Any
) -> TransferPlan:
    """A plan written by hand: the lines given (or one of 5 units), a departure for each lane, and their sums.

    The figures of the plan as a whole are those of one line on the needy network: of
    700 units wanted in 7 days, none are served without it, and so many with it.
    """
    lines = lines or (a_line(),)
    lanes = sorted({line.lane for line in lines})
    loads = fields.pop("lanes", tuple(a_load(*(line for line in lines if line.lane == lane)) for lane in lanes))
    fixed_cost = sum(load.fixed_cost_minor for load in loads)
    saving = sum(line.saving_minor for line in lines) - fixed_cost
    served_ppm = round(sum(line.units for line in lines) / 700 * 1e6)
    defaults: dict[str, Any] = {
        "snapshot_digest": (snapshot or a_needy_network()).digest,
        "policy_digest": (policy or a_policy()).digest,
        "request": PlanRequest(),
        "currency": "USD",
        "planned_on": TODAY,
        "lines": tuple(lines),
        "lanes": loads,
        "saving_minor": saving,
        "whole_horizon_saving_minor": saving,
        "move_cost_minor": sum(line.move_cost_minor for line in lines),
        "fixed_cost_minor": fixed_cost,
        "goods_value_minor": sum(line.goods_value_minor for line in lines),
        "fill_rate": FillRate(before_ppm=0, after_ppm=served_ppm),
        "solver": SolverRecord(
            path="exact",
            status=SolveStatus.OPTIMAL,
            objective_minor=-saving,
            bound_minor=-saving,
            gap_ppm=0,
            versions=(),
        ),
    }
    return TransferPlan(**defaults | fields)
