"""Settings of the ERP that transfers are posted to."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class ErpKind(StrEnum):
    """The kinds of ERP that transfers can be posted to."""

    BUILT_IN = "built-in"
    TRYTON = "tryton"
    ODOO = "odoo"
    REST = "rest"


class ErpSettings(BaseSettings):
    """Part of the settings of the service."""

    erp: ErpKind = ErpKind.BUILT_IN
    erp_url: str | None = None
    erp_database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = None
    erp_user: str | None = None
    erp_key: SecretStr | None = None
    """The ERP that transfers are posted to. The key is a password for Tryton, and a key of its API for the others."""
    erp_sites: dict[str, str] = Field(default_factory=dict)
    erp_skus: dict[str, str] = Field(default_factory=dict)
    """JSON objects: the codes there of our sites and SKUs, where they are not the same."""
    erp_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    erp_calls_at_once_max: Annotated[int, Field(ge=1)] = 4
    erp_calls_per_second_max: Annotated[float, Field(gt=0)] = 20.0
    """Calls that are under way at once, and requests in a second: most calls send several."""
    erp_webhook_secret: SecretStr | None = Field(default=None, min_length=32)
    """What receipts that an ERP reports are signed with; without it none are taken."""
