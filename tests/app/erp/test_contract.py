"""One contract for every ERP: find before create, the first one for a repeat, a no only where nothing was done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.app.erp.bench import STOCKED_UNITS, Bench, a_content
from tools.inventory import LaneKey
from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError, Refused, TransferContent

LONG_AGO = timedelta(hours=1)


def made(bench: Bench, content: TransferContent) -> ErpTransfer:
    """The transfer, which the ERP makes."""
    answer = bench.erp.create(content)
    assert isinstance(answer, ErpTransfer), answer
    return answer


def found(bench: Bench, reference: str) -> ErpTransfer:
    """The transfer, which the ERP has."""
    answer = bench.erp.find(reference)
    assert answer is not None
    return answer


def test_nothing_is_found_that_was_not_made_and_asking_changes_nothing(bench: Bench) -> None:
    reference = str(uuid4())
    assert [bench.erp.find(reference) for _ in range(2)] == [None, None]
    assert bench.applied(reference) == 0


def test_what_was_made_is_what_was_asked_for_and_is_found_under_our_reference(bench: Bench) -> None:
    content = a_content(units=7)
    first = made(bench, content)
    assert (first.reference, first.units) == (content.reference, 7)
    assert first.erp_id
    assert not first.differs_from(content)
    assert first.state is (ErpTransferState.SHIPPED if bench.ships_at_once else ErpTransferState.CONFIRMED)
    assert found(bench, content.reference) == first
    assert (first.sku_id, first.origin, first.destination) == ("C1", "S1", "S2")
    assert (first.received_units, first.damaged_units) == (0, 0)


def test_made_twice_it_is_the_first_one(bench: Bench) -> None:
    content = a_content()
    first, second = made(bench, content), made(bench, content)
    assert first.erp_id == second.erp_id
    assert bench.applied(content.reference) == 1


def test_made_by_many_at_once_it_is_one(bench: Bench) -> None:
    content = a_content()

    def ask(_: int) -> str | None:
        try:
            return made(bench, content).erp_id
        except ErpUncertainError:
            return None  # it may say that it is busy with the first one

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(4))) - {None}
    assert bench.applied(content.reference) == 1
    assert answers <= {found(bench, content.reference).erp_id}


@pytest.mark.parametrize(
    "other",
    [{"units": 6}, {"sku_id": "C2"}, {"lane": LaneKey("S2", "S1", "van")}, {"lane": LaneKey("S1", "S3", "van")}],
    ids=["units", "SKU", "direction", "destination"],
)
def test_a_reference_with_other_content_is_refused_and_the_first_one_stays(
    bench: Bench, other: dict[str, object]
) -> None:
    content = a_content()
    first = made(bench, content)
    refused = bench.erp.create(a_content(content.reference, **other))  # type: ignore[arg-type]
    assert isinstance(refused, Refused)
    assert found(bench, content.reference) == first
    assert bench.applied(content.reference) == 1


def test_more_than_there_is_is_refused_and_nothing_of_it_stays_behind(bench: Bench) -> None:
    if not bench.knows_stock:
        pytest.skip("this ERP takes our word for the stock")
    content = a_content(units=STOCKED_UNITS * 10)
    refused = bench.erp.create(content)
    assert isinstance(refused, Refused)
    assert f"of {content.units:,} units of C1 free" in refused.reason
    assert bench.erp.find(content.reference) is None
    assert bench.applied(content.reference) == 0
    everything = a_content(units=STOCKED_UNITS // 4, sku_id="C3")
    made(bench, everything)  # nothing was left reserved by the refusal
    bench.cancel_by_hand(everything.reference)


def test_a_sku_that_the_erp_does_not_have_is_refused(bench: Bench) -> None:
    if not bench.knows_stock:
        pytest.skip("this ERP takes our word for the SKU")
    content = a_content(sku_id="NEVER-SEEN")
    refused = bench.erp.create(content)
    assert isinstance(refused, Refused)
    assert "NEVER-SEEN" in refused.reason
    assert bench.erp.find(content.reference) is None


def test_cancelled_by_hand_it_is_cancelled_and_is_not_made_again(bench: Bench) -> None:
    content = a_content()
    first = made(bench, content)
    bench.cancel_by_hand(content.reference)
    assert found(bench, content.reference).state is ErpTransferState.CANCELLED
    again = bench.erp.create(content)
    assert isinstance(again, Refused) or (again.erp_id, again.state) == (first.erp_id, ErpTransferState.CANCELLED)
    assert bench.applied(content.reference) == 0


def test_we_cancel_as_often_as_we_like_before_the_goods_leave(bench: Bench) -> None:
    if bench.ships_at_once:
        pytest.skip("its goods leave at once")
    content = a_content()
    made(bench, content)
    answers = [bench.erp.cancel(content.reference) for _ in range(2)]
    assert [each.state for each in answers if isinstance(each, ErpTransfer)] == [ErpTransferState.CANCELLED] * 2
    assert found(bench, content.reference).state is ErpTransferState.CANCELLED


def test_nothing_is_cancelled_that_is_not_there_or_has_left(bench: Bench) -> None:
    assert isinstance(bench.erp.cancel(str(uuid4())), Refused)
    content = a_content()
    made(bench, content)
    if not bench.ships_at_once:
        bench.ship(content.reference)
    assert isinstance(bench.erp.cancel(content.reference), Refused)
    assert found(bench, content.reference).state is ErpTransferState.SHIPPED


def test_what_has_left_and_what_has_arrived_is_read_back(bench: Bench) -> None:
    if not bench.tells_receipts:
        pytest.skip("people report its receipts to us")
    content = a_content(units=8)
    made(bench, content)
    bench.ship(content.reference)
    assert found(bench, content.reference).state is ErpTransferState.SHIPPED
    bench.receive(content.reference, 8, last=True)
    arrived = found(bench, content.reference)
    assert (arrived.state, arrived.units, arrived.received_units) == (ErpTransferState.RECEIVED, 8, 8)
    assert not arrived.differs_from(content)


def test_a_part_that_has_arrived_leaves_the_rest_on_its_way(bench: Bench) -> None:
    if not bench.tells_receipts:
        pytest.skip("people report its receipts to us")
    content = a_content(units=9)
    made(bench, content)
    bench.ship(content.reference)
    bench.receive(content.reference, 6)
    arrived = found(bench, content.reference)
    assert (arrived.state, arrived.units, arrived.received_units) == (ErpTransferState.PARTIALLY_RECEIVED, 9, 6)


def test_damage_is_told_apart_from_what_came_into_stock(bench: Bench) -> None:
    if not bench.tells_damage:
        pytest.skip("this ERP books damage elsewhere")
    content = a_content(units=9)
    made(bench, content)
    bench.ship(content.reference)
    bench.receive(content.reference, 6, damaged=3, last=True)
    arrived = found(bench, content.reference)
    assert (arrived.state, arrived.received_units, arrived.damaged_units) == (ErpTransferState.RECEIVED, 6, 3)


def test_what_was_made_or_has_changed_since_is_listed(bench: Bench) -> None:
    content, other = a_content(), a_content(units=3)
    first, second = made(bench, content), made(bench, other)
    now = datetime.now(UTC)
    listed = {each.reference: each for each in bench.erp.list_transfers(now - LONG_AGO)}
    assert (listed[content.reference], listed[other.reference]) == (first, second)
    assert list(listed) == sorted(listed)
    assert bench.erp.list_transfers(now + LONG_AGO) == []
    bench.cancel_by_hand(content.reference)
    changed = {each.reference: each.state for each in bench.erp.list_transfers(now - LONG_AGO)}
    assert changed[content.reference] is ErpTransferState.CANCELLED


def test_an_answer_that_is_lost_is_doubt_and_never_a_no_and_what_was_made_is_found_afterwards(bench: Bench) -> None:
    if not bench.has_network:
        pytest.skip("nothing lies between it and us")
    content = a_content()
    with bench.losing_answers(), pytest.raises(ErpUncertainError):
        bench.erp.create(content)
    again = made(bench, content)  # whether or not the first one has been committed by now
    assert found(bench, content.reference).erp_id == again.erp_id
    assert bench.applied(content.reference) == 1
    with bench.losing_answers(), pytest.raises(ErpUncertainError):
        bench.erp.cancel(content.reference)
    answer = bench.erp.cancel(content.reference)
    assert isinstance(answer, ErpTransfer)
    assert answer.state is ErpTransferState.CANCELLED
