"""The ERP that the settings name."""

from __future__ import annotations

from app.db.database import Database
from app.erp.built_in import BuiltInErp
from app.erp.calling import ANSWER_BYTES_MAX, Caller
from app.erp.configuration import ErpKind
from app.erp.counterparts import Counterparts
from app.erp.limits import LimitedErp, Limits
from app.erp.odoo import OdooErp
from app.erp.odoo_wire import OdooWire
from app.erp.pace import Pace
from app.erp.rest import RestErp
from app.erp.rest_bodies import TransferAnswer, transfer_of
from app.erp.tryton import TrytonErp
from app.erp.tryton_wire import TrytonWire
from app.errors import SetUpError
from app.outbound import Outbound
from app.settings import Settings
from tools.ports import ErpPort, ErpTransfer

_NEEDED = {
    ErpKind.TRYTON: ("erp_url", "erp_database", "erp_user", "erp_key"),
    ErpKind.ODOO: ("erp_url", "erp_database", "erp_key"),
    ErpKind.REST: ("erp_url", "erp_key"),
    ErpKind.BUILT_IN: (),
}

AnErp = BuiltInErp | TrytonErp | OdooErp | RestErp


def erp_of(settings: Settings, database: Database) -> ErpPort:
    """The ERP to post to, within its limits. Raises SetUpError for settings that are missing; asks it nothing yet."""
    limits = Limits(at_once_max=settings.erp_calls_at_once_max, per_second_max=settings.erp_calls_per_second_max)
    pace = Pace(limits.per_second_max)
    found = adapter_of(settings, database, pace)
    if isinstance(found, BuiltInErp):
        return found
    return LimitedErp(found, limits, pace=pace, post_requests_max=found.post_requests_max)


def adapter_of(settings: Settings, database: Database, pace: Pace | None = None) -> AnErp:
    """The ERP itself; its requests keep the pace of the settings. Raises SetUpError for settings that are missing."""
    missing = [name for name in _NEEDED[settings.erp] if getattr(settings, name) is None]
    if missing:
        variables = ", ".join(f"EVENKEEL_{name.upper()}" for name in missing)
        raise SetUpError(
            "erp_settings", f"EVENKEEL_ERP is {settings.erp}, and {variables} is not set", f"set {variables}"
        )
    if settings.erp is ErpKind.BUILT_IN:
        return BuiltInErp(database)
    outbound = Outbound(
        private_hosts=settings.outbound_private_hosts,
        seconds_max=settings.erp_timeout_seconds,
        bytes_max=ANSWER_BYTES_MAX,
    )
    caller = Caller(outbound, settings.erp_url or "", pace or Pace(settings.erp_calls_per_second_max))
    names = Counterparts(settings.erp_sites, settings.erp_skus)
    key = settings.erp_key.get_secret_value() if settings.erp_key else ""
    match settings.erp:
        case ErpKind.TRYTON:
            wire = TrytonWire(caller, settings.erp_database or "", settings.erp_user or "", key)
            return TrytonErp(caller, wire, names)
        case ErpKind.ODOO:
            return OdooErp(caller, OdooWire(caller, settings.erp_database or "", key), names)
        case ErpKind.REST:
            return RestErp(caller, key, names)


def heard(settings: Settings, told: TransferAnswer) -> ErpTransfer:
    """What an ERP tells by itself, under our ids."""
    return transfer_of(told, Counterparts(settings.erp_sites, settings.erp_skus))
