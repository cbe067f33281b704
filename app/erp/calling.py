"""HTTP to an ERP: what came back, or doubt. Nothing is tried twice here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from app.erp.pace import Pace
from app.errors import EvenkeelError
from app.outbound import Answer, NoAnswerError, Outbound, RefusedAddressError
from tools.ports import ErpNotAskedError, ErpUncertainError

OK, CREATED, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE = 200, 201, 401, 403, 404, 422
WORDS_MAX = 200
ANSWER_BYTES_MAX = 64 << 20
_TRY_LATER = (429, 502, 503, 504)


class Caller:
    """One ERP at one address. Each request takes its place from `pace`, where there is one."""

    def __init__(self, outbound: Outbound, url: str, pace: Pace | None = None) -> None:
        self._outbound = outbound
        self._pace = pace
        self.url = url.rstrip("/")

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **query: str
    ) -> Answer:
        """Whatever the ERP answered. Raises ErpUncertainError where no answer came, or one that says to come later."""
        what = f"{method} {path}"
        content = b"" if body is None else json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        sent = {"content-type": "application/json"} if content else {}
        address = f"{self.url}{path}?{urlencode(query)}" if query else f"{self.url}{path}"
        if self._pace is not None:
            self._pace.take()
        try:
            answer = self._outbound.send(method, address, headers=sent | dict(headers or {}), content=content)
        except EvenkeelError as failed:
            raise _doubt(what, failed) from failed
        if answer.status in _TRY_LATER:
            raise ErpUncertainError(f"{what}: {answer.status}", _seconds(answer.headers.get("retry-after")))
        return answer


def json_of(what: str, answer: Answer, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The document of an answer. Raises ErpUncertainError for one that is none: something else has answered."""
    try:
        return json.loads(answer.body, object_hook=object_hook)
    except ValueError as wrong:
        raise ErpUncertainError(f"{what}: {answer.status}, and no JSON") from wrong


def tidy(words: object) -> str:
    """Words of an ERP as one short line of printable characters. They hold names that anybody there may have typed."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(words)).split())
    return line if len(line) <= WORDS_MAX else f"{line[: WORDS_MAX - 1]}…"


def whole_units(quantity: object) -> int:
    """A quantity of an ERP in stock units. Raises ErpUncertainError for a part of a unit: people have to look."""
    if isinstance(quantity, bool) or not isinstance(quantity, int | float) or not float(quantity).is_integer():
        raise ErpUncertainError(f"the ERP says {tidy(quantity)} units; only whole ones can be booked")
    return int(quantity)


def _doubt(what: str, failed: EvenkeelError) -> ErpUncertainError:
    """Where nothing can have been sent, that is said: it is known then that nothing was done."""
    sent = failed.sent if isinstance(failed, NoAnswerError) else not isinstance(failed, RefusedAddressError)
    return (ErpUncertainError if sent else ErpNotAskedError)(f"{what}: {tidy(failed.detail)}")


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; None for none, or for a date."""
    try:
        return max(float(retry_after or ""), 0.0)
    except ValueError:
        return None
