"""Which requests stops hold, as a condition of a statement: by the lines of their plans and the master data of now.

`policies.stops` says what a stop holds; this asks the same of many plans at once, without reading them one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, case, cast, false, or_, true, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col, func, select

from app.approvals.tables import ApprovalRequest
from app.plans.tables import PlanRow
from app.stock.tables import MasterRow
from policies.approvals import SkuClass
from policies.stops import CATEGORY, Stop


def held_by(stops: Iterable[Stop]) -> ColumnElement[bool]:
    """Requests whose plans one of the stops holds, or a line of them."""
    return or_(false(), *map(_holds, stops))


def _holds(stop: Stop) -> ColumnElement[bool]:
    sites: Any = type_coerce(col(ApprovalRequest.sites), JSONB)
    near = and_(true(), *(sites.has_key(site) for site in stop.sites))
    if stop.origin is None and stop.sku_class is None:
        return near
    # Only the plans of these sites are taken apart.
    return case((near, _has_line(stop)), else_=false())


def _has_line(stop: Stop) -> ColumnElement[bool]:
    """A line of the plan that the stop holds."""
    body = cast(func.convert_from(col(PlanRow.body), "UTF8"), JSONB)
    lines = func.jsonb_array_elements(body["lines"]).table_valued("value", joins_implicitly=True)
    line = type_coerce(lines.c.value, JSONB)
    stated = {"origin": stop.origin, "destination": stop.destination, "mode": stop.mode}
    conditions: list[Any] = [line[name].astext == value for name, value in stated.items() if value is not None]
    if stop.site_id is not None:
        conditions.append(or_(line["origin"].astext == stop.site_id, line["destination"].astext == stop.site_id))
    if stop.sku_class is not None:  # a SKU that nobody knows is of every class
        others = select(MasterRow.key).where(MasterRow.kind == "sku", ~_is_of(stop.sku_class))
        conditions.append(line["sku_id"].astext.not_in(others))
    own = select(1).select_from(PlanRow, lines).where(PlanRow.digest == ApprovalRequest.plan_digest, *conditions)
    return own.correlate(ApprovalRequest).exists()


def _is_of(sku_class: str) -> ColumnElement[bool]:
    """SKUs of a class that a stop can name; as `policies.stops.classes_of`."""
    body = MasterRow.body
    found: Any
    if sku_class.startswith(CATEGORY):
        found = body["category"].as_string() == sku_class.removeprefix(CATEGORY)
    elif sku_class in (SkuClass.CHILLED, SkuClass.FROZEN):
        found = body["temperature"].as_string() == sku_class
    else:
        found = body[sku_class].as_boolean()
    return func.coalesce(found, false())
