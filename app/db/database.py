"""The engine and its transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, cast

import psycopg
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlmodel import Session

_NOW, _AFTERWARDS = "transaction_timestamp", "afterwards"
_NOTICE_THE_DEAD = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""The database asks after whoever is silent, and gives the locks of a machine that has lost its power back in 25 seconds."""
IDLE_SECONDS_MAX = 900
"""So long a transaction may lie idle; then the database ends its session, and what a frozen process has locked is free.

Longer than anything that works between two statements: an import that is read under the
lock of the installation, a plan that is made again (a solver takes 300 seconds at most), a
conversation with an ERP. Those of a frozen runner are ended sooner, by whoever takes over.
"""
_NOTICE_THE_FROZEN = f"-c idle_in_transaction_session_timeout={IDLE_SECONDS_MAX}s"
_NOTICE_THE_LOST = {
    "connect_timeout": 10, "tcp_user_timeout": 20_000,
    "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2,
}  # fmt: skip
"""A database that a broken network swallows is given up after 20 seconds, where the operating system would take hours."""
CONNECTIONS_MAX = 32
"""In the pool of a process. What is not pooled comes on top."""
PROCESS = f"evenkeel {token_hex(8)}"
"""By this the database knows which sessions belong to one process."""


def connecting(url: str) -> dict[str, str | int]:
    """How every connection is made, as far as the URL does not say otherwise."""
    return {"application_name": PROCESS} | {
        name: value for name, value in _NOTICE_THE_LOST.items() if f"{name}=" not in url
    }


class Database:
    """One PostgreSQL. Every change happens inside `transaction()`, which commits as a whole or not at all."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session_info: dict[str, object] = {}
        """What every session of this database knows from its first moment."""
        asked = connecting(url)
        if "options=" not in url:
            asked["options"] = f"{_NOTICE_THE_DEAD} {_NOTICE_THE_FROZEN}"
        self.engine: Engine = create_engine(
            url,
            pool_size=CONNECTIONS_MAX // 2,
            max_overflow=CONNECTIONS_MAX // 2,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args=asked,
        )
        self._without_pool = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=asked)

    @contextmanager
    def transaction(self, *, pooled: bool = True) -> Iterator[Session]:
        """A session whose work is committed at the end, and rolled back on any exception.

        One that is not `pooled` has a connection of its own: it gets on when everybody in the pool waits for it.
        """
        engine = self.engine if pooled else self._without_pool
        with Session(engine, expire_on_commit=False, info=self.session_info) as session, session.begin():
            yield session
        for act in session.info.pop(_AFTERWARDS, ()):
            act()

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


@contextmanager
def beside(session: Session) -> Iterator[Session]:
    """A transaction of its own on the same database: what it does stays, whatever becomes of the one it stands beside."""
    known = {name: value for name, value in session.info.items() if name not in (_NOW, _AFTERWARDS)}
    with Session(session.get_bind(), expire_on_commit=False, info=known) as own, own.begin():
        yield own
    for act in own.info.pop(_AFTERWARDS, ()):
        act()


def once_committed(session: Session, act: Callable[[], None]) -> None:
    """Have something done after the commit of `Database.transaction`; not after a savepoint, nor when it is rolled back."""
    session.info.setdefault(_AFTERWARDS, []).append(act)


def driver_row(session: Session, statement: str, values: Sequence[object]) -> Any:
    """The one row of a statement with %s for its values, asked of the driver itself.

    For what every event costs: around a statement of one row SQLAlchemy spends about as
    much as the driver does. Raises what SQLAlchemy would: a DBAPIError with the driver's as `orig`.
    """
    connection = session.connection()
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    try:
        return driver.execute(statement, values).fetchone()
    except psycopg.Error as failed:
        if driver.closed:
            connection.invalidate(failed)
        raise DBAPIError.instance(
            statement, None, failed, psycopg.Error, True, driver.closed, connection.dialect
        ) from failed


def database_now(session: Session) -> datetime:
    """The transaction's time by the database's clock: the only clock that expiry and audit rely on."""
    transaction = session.get_transaction()
    asked, now = session.info.get(_NOW, (None, None))
    if transaction is None or asked is not transaction:
        now = session.connection().execute(text("select transaction_timestamp()")).scalar_one().astimezone(UTC)
        session.info[_NOW] = (session.get_transaction(), now)
    return cast("datetime", now)
