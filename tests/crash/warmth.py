"""Engines that keep their compiled statements over a fork, whatever database the child goes to.

Most of what a young process does is to compile its SQL. So engines on databases of the
crash tests are one engine, whose connections go where the last one was asked for.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

import app.db.database

PREFIX = "crash_"
"""How the databases of scenarios are called."""
_create = sqlalchemy.create_engine
_engines: dict[str, Engine] = {}
_goes_to: dict[str, str] = {}


def share_engines() -> None:
    """From now on an engine on a scenario's database is one that may be warm."""
    sqlalchemy.create_engine = _warm  # type: ignore[assignment]
    app.db.database.create_engine = _warm  # type: ignore[attr-defined]


def cool_connections() -> None:
    """No connection may be used on both sides of a fork."""
    for engine in _engines.values():
        engine.dispose()


def _warm(url: Any, **options: Any) -> Engine:
    address = make_url(url)
    if not (address.database or "").startswith(PREFIX):
        return _create(url, **options)
    kind = f"{address.set(database='').render_as_string(hide_password=False)} {sorted(map(str, options.items()))}"
    if kind not in _engines:
        _engines[kind] = _create(url, **options)
        event.listen(_engines[kind], "do_connect", _redirect)
    _goes_to["dbname"] = address.database or ""
    return _engines[kind]


def _redirect(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
    parameters.update(_goes_to)
