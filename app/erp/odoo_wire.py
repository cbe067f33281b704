"""JSON-2 of Odoo 19: one call, and the ways in which it says no.

Bodies of errors carry a traceback in `debug`, which goes nowhere from here.
"""

from __future__ import annotations

from typing import Any

from app.erp.calling import FORBIDDEN, OK, UNAUTHORIZED, Caller, json_of, tidy
from tools.ports import ErpUncertainError

PAGE = 1_000
_RULES = ("UserError", "ValidationError", "RedirectWarning")


class OdooRefusedError(Exception):
    """A rule of the server said no, and its transaction was rolled back."""


class OdooLoginError(ErpUncertainError):
    """The server does not let us in, or not there: an operator has to look. Nothing was done."""


class OdooWire:
    """One database of one server, with one API key."""

    def __init__(self, caller: Caller, database: str, key: str) -> None:
        self._caller = caller
        self._headers = {"authorization": f"bearer {key}", "x-odoo-database": database, "accept-encoding": "gzip"}

    def call(self, model: str, method: str, **arguments: Any) -> Any:
        """What a method returns. Raises OdooRefusedError, and ErpUncertainError for everything that leaves doubt."""
        what = f"{model}/{method}"
        answer = self._caller.ask("POST", f"/json/2/{what}", arguments, headers=self._headers)
        if answer.status == OK:
            return json_of(what, answer)
        if answer.status in (UNAUTHORIZED, FORBIDDEN):
            raise OdooLoginError(f"{what}: {answer.status}, the ERP does not accept our key for this")
        problem = json_of(what, answer)
        name = str(problem.get("name", "")) if isinstance(problem, dict) else ""
        words = tidy(problem.get("message", "")) if isinstance(problem, dict) else ""
        if name.endswith("AccessError"):
            raise OdooLoginError(f"{what}: {words}")
        if name.endswith(_RULES):
            raise OdooRefusedError(words)
        raise ErpUncertainError(f"{what}: {answer.status} {words}")

    def rows(self, model: str, domain: list[Any], fields: list[str], **context: Any) -> list[dict[str, Any]]:
        """Every record of a model that a domain admits, by id, asked for page by page."""
        found: list[dict[str, Any]] = []
        arguments: dict[str, Any] = {"domain": domain, "fields": fields, "order": "id", "limit": PAGE}
        if context:
            arguments["context"] = context
        while True:
            try:
                page = self.call(model, "search_read", offset=len(found), **arguments)
            except OdooRefusedError as no:
                raise ErpUncertainError(f"the ERP does not let us read {model}: {no}") from no
            found += page
            if len(page) < PAGE:
                return found
