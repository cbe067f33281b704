"""Which transfer orders a list shows: cut to the caller's sites, filtered, sorted, a page at a time.

What is kept from a caller cannot be asked for either: a text finds masked SKUs by their alias only, and sites outside
the caller's own by nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import ColumnElement, Text, UnaryExpression, asc, case, cast, desc, false, literal, true
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from app.auth.roles import Principal
from app.errors import NotFoundError
from app.ledger.append import stock_stream
from app.ledger.tables import LedgerEvent
from app.orders.steps import get_order
from app.orders.tables import UNDER_WAY, Receipt, TransferOrder
from app.stock.tables import MasterRow
from app.views import OrderView, names_of_plan, order_views
from graphs.names import Names, alias_of
from tools.execution import OrderState

PAGE_ROWS = 100


class Show(StrEnum):
    """The groups that a list can be cut to."""

    OPEN = "open"
    ATTENTION = "attention"
    TRANSIT = "transit"
    OVERDUE = "overdue"
    HELD = "held"
    OVER = "over"
    ALL = "all"


SORTS = ("changed", "sku", "units", "state", "departs", "arrives")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see. `stop`: what waits under this one."""

    show: Show = Show.OPEN
    state: OrderState | None = None
    site: str = ""
    text: str = ""
    sort: str = "-changed"
    page: int = 1
    stop: UUID | None = None

    @property
    def is_narrowed(self) -> bool:
        """Whether it asks for a part of its group only."""
        return bool(self.state or self.site or self.text or self.stop)

    def query(self, **changed: object) -> str:
        """The part of an address that asks for this, with some of it changed; what is as by default is left out."""
        names = {
            "show": Show.OPEN, "state": None, "site": "", "text": "", "sort": "-changed", "page": 1, "stop": None,
        }  # fmt: skip
        values = {name: changed.get(name, getattr(self, name)) for name in names}
        return urlencode({name: value for name, value in values.items() if value not in (names[name], "")})


@dataclass(frozen=True, slots=True)
class Page:
    """Orders of one page, and how many there are."""

    orders: list[OrderView]
    total: int
    first: int

    @property
    def last(self) -> int:
        """The number of the last one on the page."""
        return self.first + len(self.orders) - 1


def page_of(session: Session, caller: Principal, wanted: Wanted, today: date, rows_max: int = PAGE_ROWS) -> Page:
    """The orders of a page."""
    hidden = _hidden(session, caller)
    where = [*_in_scope(caller), *_filters(caller, wanted, today, hidden)]
    total = session.exec(select(func.count()).select_from(TransferOrder).where(*where)).one()
    first = (wanted.page - 1) * rows_max
    query = select(TransferOrder).where(*where).order_by(_order(wanted.sort, hidden), col(TransferOrder.transfer_id))
    views = order_views(session, caller, session.exec(query.offset(first).limit(rows_max)).all())
    if wanted.text and not caller.sees_everything:  # what was masked in its time may be open today
        skus = titles(session, "sku", (view.sku_id for view in views))
        sites = titles(session, "site", (end for view in views for end in (view.origin, view.destination)))
        views = [view for view in views if _says(view, wanted.text, skus, sites)]
    return Page(views, total, first + 1)


def counts(session: Session, caller: Principal, today: date) -> dict[str, int]:
    """How many orders each group has, in one statement."""
    groups = [func.count().filter(_shown(show, today)).label(show) for show in Show]
    query = sa_select(*groups).select_from(TransferOrder).where(*_in_scope(caller))
    return {name: int(count) for name, count in session.connection().execute(query).one()._asdict().items()}


def order_in_reach(session: Session, caller: Principal, transfer_id: UUID) -> TransferOrder:
    """An order that touches the caller's sites. Raises NotFoundError, and then does not say whether there is one."""
    order = get_order(session, transfer_id)
    if not caller.touches((order.origin, order.destination)):
        raise NotFoundError("unknown_order", f"there is no transfer order {transfer_id}", "check the id")
    return order


def names_of_order(session: Session, caller: Principal, order: TransferOrder) -> Names | None:
    """What things are called for the caller; None for those from whom nothing is kept."""
    return None if caller.sees_everything else names_of_plan(session, caller, order.plan_digest)


def events_of(session: Session, order: TransferOrder) -> Sequence[LedgerEvent]:
    """What the ledger holds about an order, the oldest first."""
    streams = (stock_stream(order.origin, order.sku_id), stock_stream(order.destination, order.sku_id))
    query = select(LedgerEvent).where(
        col(LedgerEvent.stream).in_(streams),
        col(LedgerEvent.key).startswith(f"transfer/{order.transfer_id}/", autoescape=True),
    )
    return session.exec(query.order_by(col(LedgerEvent.occurred_at), col(LedgerEvent.seq))).all()


def receipts_of(session: Session, order: TransferOrder) -> Sequence[Receipt]:
    """What was reported as arrived, the oldest first."""
    query = select(Receipt).where(Receipt.transfer_id == order.transfer_id)
    return session.exec(query.order_by(col(Receipt.received_at), Receipt.receipt_key)).all()


def last_arrivals(session: Session, ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """When goods of each order were last reported as arrived; nothing for those of which none were."""
    query = (
        select(Receipt.transfer_id, func.max(Receipt.received_at))
        .where(col(Receipt.transfer_id).in_(list(ids)), col(Receipt.units) + col(Receipt.damaged_units) > 0)
        .group_by(col(Receipt.transfer_id))
    )
    return dict(session.exec(query).all())


def titles(session: Session, kind: str, ids: Iterable[str]) -> dict[str, str]:
    """The names of SKUs or sites by id. Only for ids that the caller may read."""
    query = select(MasterRow.key, MasterRow.body["name"].as_string()).where(
        MasterRow.kind == kind, col(MasterRow.key).in_(sorted(set(ids)))
    )
    return {key: name or "" for key, name in session.exec(query).all()}


def sites_of(session: Session, caller: Principal) -> list[tuple[str, str]]:
    """The caller's sites, with their names."""
    query = select(MasterRow.key, MasterRow.body["name"].as_string()).where(MasterRow.kind == "site")
    if caller.sites is not None:
        query = query.where(col(MasterRow.key).in_(sorted(caller.sites)))
    return [(key, name or "") for key, name in session.exec(query.order_by(MasterRow.key)).all()]


def _in_scope(caller: Principal) -> list[ColumnElement[bool]]:
    if caller.sites is None:
        return []
    sites = sorted(caller.sites)
    return [col(TransferOrder.origin).in_(sites) | col(TransferOrder.destination).in_(sites)]


def _hidden(session: Session, caller: Principal) -> list[str]:
    """SKUs that go by an alias for the caller."""
    if caller.sees_sensitive:
        return []
    query = select(MasterRow.key).where(MasterRow.kind == "sku", MasterRow.body["sensitive"].as_boolean())
    return list(session.exec(query).all())


def _shown(show: Show, today: date) -> ColumnElement[bool]:
    is_said = col(TransferOrder.attention).is_not(None)
    under_way = col(TransferOrder.state).in_(UNDER_WAY)
    gone = ("received_units", "damaged_units", "returned_units", "lost_units")
    turned_up = sum((col(getattr(TransferOrder, name)) for name in gone), start=literal(0))
    return {
        Show.OPEN: under_way | is_said,
        Show.ATTENTION: is_said | (col(TransferOrder.state) == OrderState.NEEDS_ATTENTION),
        Show.TRANSIT: col(TransferOrder.shipped_units) > turned_up,
        Show.OVERDUE: under_way & (col(TransferOrder.arrive_on) < today),
        Show.HELD: col(TransferOrder.held_by).is_not(None),
        Show.OVER: ~(under_way | is_said),
        Show.ALL: true(),
    }[show]


def _filters(caller: Principal, wanted: Wanted, today: date, hidden: list[str]) -> list[ColumnElement[bool]]:
    found = [_shown(wanted.show, today)]
    if wanted.state is not None:
        found.append(col(TransferOrder.state) == wanted.state)
    if wanted.stop is not None:
        found.append(col(TransferOrder.held_by) == str(wanted.stop))
    if wanted.site:
        at = (col(TransferOrder.origin) == wanted.site) | (col(TransferOrder.destination) == wanted.site)
        found.append(at if caller.covers((wanted.site,)) else false())
    if wanted.text:
        found.append(_speaks_of(caller, wanted.text, hidden))
    return found


def _speaks_of(caller: Principal, text: str, hidden: list[str]) -> ColumnElement[bool]:
    """Whether an order has a text in its SKU or sites, by id or name, its id or the ERP's, as far as the caller may read them."""
    sku = col(TransferOrder.sku_id).icontains(text, autoescape=True)
    sku |= col(TransferOrder.sku_id).in_(_called("sku", text))
    if hidden:
        by_alias = [sku_id for sku_id in hidden if text.lower() in alias_of(sku_id).lower()]
        sku = (sku & col(TransferOrder.sku_id).not_in(hidden)) | col(TransferOrder.sku_id).in_(by_alias)
    found = sku | cast(TransferOrder.transfer_id, Text).istartswith(text, autoescape=True)
    found |= col(TransferOrder.erp_id).icontains(text, autoescape=True)
    for end in (col(TransferOrder.origin), col(TransferOrder.destination)):
        own = true() if caller.sites is None else end.in_(sorted(caller.sites))
        found |= (end.icontains(text, autoescape=True) | end.in_(_called("site", text))) & own
    return found


def _called(kind: str, text: str) -> SelectOfScalar[str]:
    """The SKUs or sites with a text in their name."""
    name = MasterRow.body["name"].as_string()
    return select(MasterRow.key).where(MasterRow.kind == kind, name.icontains(text, autoescape=True))


def _says(view: OrderView, text: str, skus: Mapping[str, str], sites: Mapping[str, str]) -> bool:
    shown = (
        str(view.transfer_id), view.erp_id or "", view.sku_id, skus.get(view.sku_id, ""),
        view.origin, sites.get(view.origin, ""), view.destination, sites.get(view.destination, ""),
    )  # fmt: skip
    return any(text.lower() in each.lower() for each in shown)


def _order(sort: str, hidden: list[str]) -> UnaryExpression[Any]:
    sku: Any = col(TransferOrder.sku_id)
    if hidden:  # their order would tell what they are called
        sku = case((col(TransferOrder.sku_id).in_(hidden), literal("~")), else_=col(TransferOrder.sku_id))
    columns: dict[str, Any] = {
        "changed": col(TransferOrder.state_at), "sku": sku, "units": col(TransferOrder.units),
        "state": col(TransferOrder.state), "departs": col(TransferOrder.depart_on), "arrives": col(TransferOrder.arrive_on),
    }  # fmt: skip
    column = columns[sort.removeprefix("-")]
    found: UnaryExpression[Any] = desc(column) if sort.startswith("-") else asc(column)
    return found
