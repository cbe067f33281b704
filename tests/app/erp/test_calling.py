"""What comes back from an ERP, and which adapter the settings name."""

from __future__ import annotations

import gzip

import pytest
from pydantic import SecretStr

from app.db.database import Database
from app.erp.built_in import BuiltInErp
from app.erp.calling import Caller, tidy, whole_units
from app.erp.configuration import ErpKind
from app.erp.connecting import adapter_of, erp_of
from app.erp.limits import LimitedErp
from app.erp.odoo import OdooErp
from app.erp.rest import RestErp
from app.erp.tryton import TrytonErp
from app.errors import SetUpError
from app.outbound import NoAnswerError, Outbound
from app.settings import Settings
from tests.app.test_outbound import answering
from tools.ports import ErpNotAskedError, ErpUncertainError

CONFIGURED = {"erp_url": "https://erp.example", "erp_database": "erp", "erp_user": "u", "erp_key": SecretStr("k")}


def packed(body: bytes) -> bytes:
    content = gzip.compress(body)
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(content) + content


def test_an_answer_is_unpacked_where_that_was_asked_for_and_never_beyond_the_limit() -> None:
    outbound, wanted = Outbound(private_hosts=["127.0.0.1"], bytes_max=1_000), {"accept-encoding": "gzip"}
    with answering(packed(b"[1]")) as (port, _):
        assert outbound.send("GET", f"http://127.0.0.1:{port}/", headers=wanted).body == b"[1]"
    with answering(packed(b"x" * 50_000_000)) as (port, _), pytest.raises(NoAnswerError, match="more than 1,000"):
        outbound.send("GET", f"http://127.0.0.1:{port}/", headers=wanted)
    with answering(packed(b"[1]")) as (port, _), pytest.raises(NoAnswerError, match="not asked for"):
        outbound.send("GET", f"http://127.0.0.1:{port}/")


def test_where_nothing_can_have_been_sent_that_is_said() -> None:
    for caller in (
        Caller(Outbound(), "https://127.0.0.1:1"),
        Caller(Outbound(private_hosts=["127.0.0.1"]), "http://127.0.0.1:1"),
    ):
        with pytest.raises(ErpNotAskedError):
            caller.ask("POST", "/transfers", {})
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx") as (port, _):
        caller = Caller(Outbound(private_hosts=["127.0.0.1"]), f"http://127.0.0.1:{port}")
        with pytest.raises(ErpUncertainError) as cut:
            caller.ask("GET", "/transfers")
    assert not isinstance(cut.value, ErpNotAskedError)


def test_how_long_an_erp_wants_to_be_left_alone_is_passed_on() -> None:
    with answering(b"HTTP/1.1 429 Slow\r\nretry-after: 17\r\ncontent-length: 0\r\n\r\n") as (port, _):
        caller = Caller(Outbound(private_hosts=["127.0.0.1"]), f"http://127.0.0.1:{port}")
        with pytest.raises(ErpUncertainError) as busy:
            caller.ask("GET", "/transfers")
    assert busy.value.retry_after_seconds == 17


@pytest.mark.parametrize("quantity", [2.5, float("nan"), float("inf"), True, "3", None])
def test_a_quantity_that_is_no_whole_number_of_units_is_doubt(quantity: object) -> None:
    with pytest.raises(ErpUncertainError, match="whole"):
        whole_units(quantity)


def test_words_of_an_erp_become_one_short_line_of_printable_characters() -> None:
    assert tidy("a\x1b[31m\r\n b\u202e") == "a [31m b"
    assert len(tidy("x" * 5_000)) == 200
    assert whole_units(30.0) == 30


@pytest.mark.parametrize(
    ("kind", "adapter"), [(ErpKind.TRYTON, TrytonErp), (ErpKind.ODOO, OdooErp), (ErpKind.REST, RestErp)]
)
def test_the_settings_name_the_adapter_and_it_stands_within_limits(
    ledger: Database, kind: ErpKind, adapter: type[object]
) -> None:
    settings = Settings().model_copy(update=CONFIGURED | {"erp": kind})
    assert isinstance(adapter_of(settings, ledger), adapter)
    limited = erp_of(settings, ledger)
    assert isinstance(limited, LimitedErp)
    assert isinstance(limited.erp, adapter)
    assert limited._post_requests_max == getattr(adapter, "post_requests_max", None)
    with pytest.raises(SetUpError, match="EVENKEEL_ERP_URL"):
        erp_of(settings.model_copy(update={"erp_url": None}), ledger)


def test_without_settings_it_is_the_built_in_ledger(ledger: Database) -> None:
    assert isinstance(erp_of(Settings(), ledger), BuiltInErp)
