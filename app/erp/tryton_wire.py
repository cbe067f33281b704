"""JSON-RPC of Tryton 8.2: login, calls, dates and decimals, and the three ways in which it says no."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from app.erp.calling import OK, UNAUTHORIZED, Caller, json_of, tidy
from app.outbound import Answer
from tools.ports import ErpUncertainError

SERIES = "8.2"
PAGE = 1_000
_CONTEXT_KEYS = ("company", "language")


class TrytonRefusedError(Exception):
    """A rule of the server said no, and its transaction was rolled back."""


class TrytonLoginError(ErpUncertainError):
    """The server does not let us in: an operator has to look. Nothing was done."""


class TrytonWire:
    """One database of one server, as one user. Safe in many threads."""

    def __init__(self, caller: Caller, database: str, user: str, password: str) -> None:
        self._caller = caller
        self._path = f"/{database}/rpc/"
        self._user, self._password = user, password
        self._ids = count(1)
        self._lock = threading.Lock()
        self._session: str | None = None
        self._preferences: dict[str, Any] = {}
        self._context: dict[str, Any] = {}

    @property
    def company(self) -> int:
        """The company that our user works for, by its id there."""
        if not self._context:
            self._log_in()
        company = self._context.get("company")
        if not isinstance(company, int):
            raise TrytonLoginError(f"the user {self._user} works for no company")
        return company

    @property
    def is_administrator(self) -> bool:
        """Whether our user may do everything there."""
        return bool(self.company and self._preferences.get("administrator"))

    def call(self, method: str, *params: Any, **context: Any) -> Any:
        """The result of a method. A session that has ended is renewed once.

        Raises TrytonRefusedError, and ErpUncertainError for everything that leaves doubt.
        """
        session = self._session or self._log_in()
        answer = self._post(method, [*params, self._context | context], session)
        if answer.status == UNAUTHORIZED:
            answer = self._post(method, [*params, self._context | context], self._log_in(ended=session))
        return _result(method, answer)

    def rows(self, model: str, domain: list[Any], fields: list[str], **context: Any) -> list[dict[str, Any]]:
        """Every record of a model that a domain admits, by id, asked for page by page."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                page = self.call(
                    f"model.{model}.search_read", domain, len(found), PAGE, [["id", "ASC"]], fields, **context
                )
            except TrytonRefusedError as no:
                raise ErpUncertainError(f"the ERP does not let us read {model}: {no}") from no
            found += page
            if len(page) < PAGE:
                return found

    def server_version(self) -> str:
        """The series of the server; it needs no login."""
        body = {"id": next(self._ids), "method": "common.server.version", "params": []}
        return str(_result("common.server.version", self._caller.ask("POST", "/rpc/", body)))

    def methods(self) -> list[str]:
        """What the server can be asked for."""
        session = self._session or self._log_in()
        return list(_result("system.listMethods", self._post("system.listMethods", [], session)))

    def _log_in(self, ended: str | None = None) -> str:
        """A session, made by the first of many threads that need one."""
        with self._lock:
            if self._session is not None and self._session != ended:
                return self._session
            answer = self._post("common.db.login", [self._user, {"password": self._password}, "en"], None)
            granted = _result("common.db.login", answer)
            if not granted:
                raise TrytonLoginError(f"the ERP does not accept the password of {self._user}")
            user_id, token, *_ = granted
            session = base64.b64encode(f"{self._user}:{user_id}:{token}".encode()).decode()
            asked = self._post("model.res.user.get_preferences", [True, {}], session)
            self._preferences = _result("preferences", asked)
            self._context = {key: self._preferences[key] for key in _CONTEXT_KEYS if key in self._preferences}
            self._session = session
            return session

    def _post(self, method: str, params: list[Any], session: str | None) -> Answer:
        body = {"id": next(self._ids), "method": method, "params": _encoded(params)}
        # The server labels long answers as compressed whether or not it compressed them: it has to be asked for gzip.
        headers = {"accept-encoding": "gzip"} | ({"authorization": f"Session {session}"} if session else {})
        return self._caller.ask("POST", self._path, body, headers=headers)


def _result(method: str, answer: Answer) -> Any:
    if answer.status == UNAUTHORIZED:
        raise TrytonLoginError("the ERP does not accept our login")
    if answer.status != OK:
        raise ErpUncertainError(f"{method}: {answer.status}")
    document = json_of(method, answer, _decoded)
    if not isinstance(document, dict):
        raise ErpUncertainError(f"{method}: an answer that is none")
    if "error" not in document:
        return document.get("result")
    error = document["error"]
    kind = error[0] if isinstance(error, list) and error else error
    if kind == "UserError":
        raise TrytonRefusedError(tidy(error[1][0] if isinstance(error[1], list) else error[1]))
    raise ErpUncertainError(f"{method}: {tidy(kind)}")


def _encoded(value: Any) -> Any:
    """Values as Tryton writes them. A datetime is a date too, so it comes first."""
    match value:
        case datetime():
            clock = {"hour": value.hour, "minute": value.minute, "second": value.second}
            return _dated("datetime", value) | clock | {"microsecond": value.microsecond}
        case date():
            return _dated("date", value)
        case Mapping():
            return {key: _encoded(each) for key, each in value.items()}
        case list() | tuple():
            return [_encoded(each) for each in value]
        case _:
            return value


def _dated(kind: str, value: date) -> dict[str, Any]:
    return {"__class__": kind, "year": value.year, "month": value.month, "day": value.day}


def _decoded(found: dict[str, Any]) -> Any:
    """The value that an object of Tryton's stands for, or the object. Its instants have no zone and are UTC."""
    match found.get("__class__"):
        case "date":
            return date(found["year"], found["month"], found["day"])
        case "datetime":
            clock = (found["hour"], found["minute"], found["second"], found["microsecond"])
            return datetime(found["year"], found["month"], found["day"], *clock, tzinfo=UTC)
        case "Decimal":
            return Decimal(found["decimal"])
        case "timedelta":
            return timedelta(seconds=found["seconds"])
        case _:
            return found
