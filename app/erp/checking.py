"""What can be wrong with any connection to an ERP, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from app.erp.calling import Caller
from app.outbound import Answer
from tools.ports import ErpFinding, ErpNotAskedError, ErpUncertainError

SKEW_SECONDS_MAX = 60
_LISTED_MAX = 10


class CheckEndedError(Exception):
    """What was found makes every further question pointless."""

    def __init__(self, finding: ErpFinding) -> None:
        super().__init__(finding.words)
        self.finding = finding


def examined(examine: Callable[[list[ErpFinding]], None]) -> list[ErpFinding]:
    """The findings of an examination, up to the one that ends it. Doubt is a finding as well."""
    found: list[ErpFinding] = []
    try:
        examine(found)
    except CheckEndedError as ended:
        found.append(ended.finding)
    except ErpUncertainError as doubt:
        found.append(ErpFinding("answers", str(doubt), "try again; if it stays, look into the log of the ERP"))
    return found


def reached(caller: Caller, method: str, path: str, body: object, now: datetime) -> tuple[Answer, list[ErpFinding]]:
    """The first answer of an ERP, with what it says about address, TLS and clock. Raises CheckEndedError for none."""
    try:
        answer = caller.ask(method, path, body, headers={"accept-encoding": "gzip"})
    except ErpNotAskedError as failed:
        raise CheckEndedError(_unreachable(caller, str(failed))) from failed
    except ErpUncertainError as failed:
        raise CheckEndedError(
            ErpFinding("address", str(failed), "see whether the ERP is up, and whether a proxy stands before it")
        ) from failed
    encrypted = urlsplit(caller.url).scheme == "https"
    return answer, [
        ErpFinding("address", f"{caller.url} answers"),
        ErpFinding("encryption", "TLS with a certificate that is trusted")
        if encrypted
        # Only hosts that an operator has listed as their own are spoken to in plain http.
        else ErpFinding("encryption", "plain http: whoever is on the way can read the key and every order"),
        _clock(answer, now),
    ]


def _unreachable(caller: Caller, words: str) -> ErpFinding:
    if "nothing is sent to" in words:
        host = urlsplit(caller.url).hostname
        remedy = f"give an https address, or, if {host} is yours, list it in EVENKEEL_OUTBOUND_PRIVATE_HOSTS"
        return ErpFinding("address", words, remedy)
    if "certificate" in words.lower() or "ssl" in words.lower():
        remedy = "renew the certificate, or have its authority trusted on this machine (SSL_CERT_FILE)"
        return ErpFinding("encryption", words, remedy)
    return ErpFinding("address", words, "check EVENKEEL_ERP_URL, the name server and the firewall")


def _clock(answer: Answer, now: datetime) -> ErpFinding:
    try:
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return ErpFinding("clock", "the ERP does not say what time it is")
    skew = abs((theirs - now).total_seconds())
    words = f"{skew:,.0f} seconds between the clock there and ours"
    return ErpFinding("clock", words, "" if skew <= SKEW_SECONDS_MAX else "set both clocks by NTP")


def counterparts(
    subject: str, what: str, variable: str, wanted: dict[str, str], there: Iterable[str]
) -> list[ErpFinding]:
    """Whether each of ours has its counterpart, and only one. `wanted` gives the code there for each id here."""
    codes = list(there)
    missing = sorted(f"{ours} ({code})" if ours != code else ours for ours, code in wanted.items() if code not in codes)
    twice = sorted({code for code in wanted.values() if codes.count(code) > 1})
    found = []
    if missing:
        words = f"{len(missing):,} of {len(wanted):,} have no {what} there: {_listed(missing)}"
        found.append(ErpFinding(subject, words, f"give the {what} that code, or name its code in {variable}"))
    if twice:
        found.append(ErpFinding(subject, f"more than one {what} has the code {_listed(twice)}", "leave one its code"))
    return found or [ErpFinding(subject, f"all {len(wanted):,} have a {what} there")]


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_LISTED_MAX])
    return shown if len(names) <= _LISTED_MAX else f"{shown} and {len(names) - _LISTED_MAX:,} more"
