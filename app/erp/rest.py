"""Any ERP or WMS that offers the REST contract of docs/erp.md. Idempotent by `Idempotency-Key`, which is our reference."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from app.erp.calling import CREATED, FORBIDDEN, NOT_FOUND, OK, UNAUTHORIZED, UNPROCESSABLE, Caller, json_of, tidy
from app.erp.checking import CheckEndedError, counterparts, examined, reached
from app.erp.counterparts import Counterparts
from app.erp.rest_bodies import About, No, StockPage, TransferAnswer, TransferPage, request_of, transfer_of
from app.outbound import Answer
from tools.inventory import StockPosition
from tools.ports import (
    ErpFinding,
    ErpNetwork,
    ErpTransfer,
    ErpUncertainError,
    Refused,
    TransferContent,
)

CONTRACT = "evenkeel-erp/1"
PAGES_MAX = 10_000
BodyT = TypeVar("BodyT", bound=BaseModel)


class RestErp:
    """An `ErpPort` on one service."""

    post_requests_max: ClassVar[int] = 1
    """How many requests `create` sends."""

    def __init__(self, caller: Caller, key: str, counterparts: Counterparts) -> None:
        self._caller = caller
        self._headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
        self._names = counterparts

    def find(self, reference: str) -> ErpTransfer | None:
        """`GET /transfers/{reference}`. Only a 404 that the service itself has worded says that there is none."""
        what = f"/transfers/{quote(reference, safe='')}"
        answer = self._caller.ask("GET", what, headers=self._headers)
        if answer.status == NOT_FOUND:
            _body(what, answer, No)
            return None
        return self._transfer(_expected(what, answer, TransferAnswer), reference)

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """`POST /transfers` under an `Idempotency-Key`. Only 422 is a no; a 409 says that the first one is under way."""
        origin, destination = (self._names.site_code(site_id) for site_id in content.lane[:2])
        try:
            request = request_of(content, self._names.sku_code(content.sku_id), origin, destination)
        except ValidationError as wrong:
            return Refused(f"the contract cannot say it: {tidy(wrong.errors()[0]['msg'])}")
        headers = self._headers | {"idempotency-key": content.reference}
        answer = self._caller.ask("POST", "/transfers", request.model_dump(mode="json"), headers=headers)
        if answer.status == UNPROCESSABLE:
            return Refused(f"the ERP refuses: {tidy(_body('/transfers', answer, No).detail)}")
        made = self._transfer(_expected("/transfers", answer, TransferAnswer), content.reference)
        if made.differs_from(content):
            return Refused(f"the reference {content.reference} belongs to another transfer, {made.erp_id}")
        return made

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """`POST /transfers/{reference}/cancel`, as often as needed. 422: the goods have left; 404: there is none."""
        what = f"/transfers/{quote(reference, safe='')}/cancel"
        headers = self._headers | {"idempotency-key": f"{reference}-cancel"}
        answer = self._caller.ask("POST", what, {}, headers=headers)
        if answer.status in (NOT_FOUND, UNPROCESSABLE):
            return Refused(f"the ERP refuses: {tidy(_body(what, answer, No).detail)}")
        return self._transfer(_expected(what, answer, TransferAnswer), reference)

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """`GET /transfers?updated_since=`, page by page."""
        instant = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        pages = self._pages("/transfers", TransferPage, updated_since=instant)
        found = [self._transfer(each, each.reference) for page in pages for each in page.transfers]
        return sorted(found, key=lambda each: each.reference)

    def read_network(self, mode: str, cost_fixed_e4: int) -> ErpNetwork:
        """Raise ErpUncertainError: the contract has stock, and no master data."""
        raise ErpUncertainError(f"the REST contract has no master data ({mode}, {cost_fixed_e4}); import a folder")

    def read_stock(self, as_of: datetime) -> Sequence[StockPosition]:
        """`GET /stock`, page by page."""
        return [
            StockPosition(
                self._names.site_id(line.site),
                self._names.sku_id(line.sku),
                line.on_hand_units,
                line.reserved_units,
                as_of,
            )
            for page in self._pages("/stock", StockPage)
            for line in page.stock
        ]

    def check(self, sites: Collection[str], skus: Collection[str], now: datetime) -> Sequence[ErpFinding]:
        """Address, contract, key, and whether the service knows our sites and SKUs."""

        def examine(found: list[ErpFinding]) -> None:
            answer, first = reached(self._caller, "GET", "/", None, now)
            found += first
            if answer.status in (UNAUTHORIZED, FORBIDDEN):
                answer = self._caller.ask("GET", "/", headers=self._headers)
            found.append(_contract(answer))
            found.append(self._key(now))
            positions = self.read_stock(now)
            for subject, what, variable, ours, there in (
                ("sites", "site", "EVENKEEL_ERP_SITES", sites, {each.site_id for each in positions}),
                ("SKUs", "SKU", "EVENKEEL_ERP_SKUS", skus, {each.sku_id for each in positions}),
            ):
                found.extend(counterparts(subject, what, variable, {each: each for each in ours}, there))

        return examined(examine)

    def _key(self, now: datetime) -> ErpFinding:
        try:
            self.list_transfers(now)
        except ErpUncertainError as failed:
            if str(UNAUTHORIZED) not in str(failed) and str(FORBIDDEN) not in str(failed):
                raise
            words, remedy = "the ERP does not accept our key for /transfers", "check EVENKEEL_ERP_KEY and its rights"
            raise CheckEndedError(ErpFinding("login", words, remedy)) from failed
        return ErpFinding("login", "the key is accepted")

    def _pages(self, path: str, kind: type[BodyT], **query: str) -> Iterator[BodyT]:
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            wanted = query | ({"cursor": cursor} if cursor else {})
            page = _expected(path, self._caller.ask("GET", path, headers=self._headers, **wanted), kind)
            yield page
            cursor = getattr(page, "next", None)
            if not cursor:
                return
        raise ErpUncertainError(f"GET {path}: more than {PAGES_MAX:,} pages")

    def _transfer(self, told: TransferAnswer, reference: str) -> ErpTransfer:
        if told.reference != reference:
            raise ErpUncertainError(f"the ERP answers about {told.reference} when asked about {reference}")
        return transfer_of(told, self._names)


def _contract(answer: Answer) -> ErpFinding:
    try:
        about = _expected("/", answer, About)
    except ErpUncertainError as wrong:
        words, remedy = str(wrong), "check EVENKEEL_ERP_URL; docs/erp.md says what has to answer there"
        raise CheckEndedError(ErpFinding("contract", words, remedy)) from wrong
    remedy = "" if about.contract == CONTRACT else f"offer {CONTRACT} (docs/erp.md)"
    return ErpFinding("contract", f"{tidy(about.name)} offers {tidy(about.contract)}", remedy)


def _expected(what: str, answer: Answer, kind: type[BodyT]) -> BodyT:
    """The body of a success. Raises ErpUncertainError for any other answer."""
    if answer.status not in (OK, CREATED):
        raise ErpUncertainError(f"{what}: {answer.status}")
    return _body(what, answer, kind)


def _body(what: str, answer: Answer, kind: type[BodyT]) -> BodyT:
    document: Any = json_of(what, answer)
    try:
        return kind.model_validate(document)
    except ValidationError as wrong:
        place = ".".join(map(str, wrong.errors()[0]["loc"]))
        raise ErpUncertainError(f"{what}: {answer.status}, and {place}: {wrong.errors()[0]['msg']}") from wrong
