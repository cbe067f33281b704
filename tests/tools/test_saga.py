"""The saga of a transfer order: whatever is learned, in whatever order and however often, units are where the books say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import following, lateness, saga
from tools.execution import STEPS, OrderState, StepRefusedError
from tools.inventory import LaneKey
from tools.moves import OutsideReason, available, in_transit, outside, replay, reserve, reserved
from tools.ports import ErpTransfer, ErpTransferState, Refused
from tools.saga import Action, Arrival, OrderFacts, Step

LANE = LaneKey("S1", "S2", "van")
DAY = date(2026, 1, 5)
ORDER = OrderFacts("r-1", "P1", LANE, 10, DAY, DAY + timedelta(days=2), OrderState.RELEASED, reserved=True)
CONFIRMED = replace(ORDER, state=OrderState.CONFIRMED, erp_id="X-1")
SHIPPED = replace(CONFIRMED, state=OrderState.SHIPPED, reserved=False, shipped_units=10)
RECALLED = replace(SHIPPED, state=OrderState.COMPENSATING)


def found(state: ErpTransferState, **more: int) -> ErpTransfer:
    return ErpTransfer("r-1", "X-1", state, **({"units": 10} | more))


def taken(step: Step | None) -> Step:
    assert step is not None
    return step


def answers() -> st.SearchStrategy[ErpTransfer | Refused | None]:
    units = st.integers(0, 14)
    transfers = st.builds(
        lambda state, received, damaged, of: found(state, received_units=received, damaged_units=damaged, units=of),
        st.sampled_from(ErpTransferState), units, units, st.sampled_from((10, 10, 6, 11)),
    )  # fmt: skip
    return st.one_of(st.none(), st.just(Refused("no dock is free")), transfers)


def news() -> st.SearchStrategy[Callable[[OrderFacts], Step | None]]:
    """Anything that the ERP, a destination or people may say about an order."""
    few = st.integers(0, 14)
    return st.one_of(
        answers().map(lambda answer: lambda order: following.learned(order, answer)),
        st.tuples(few, few, st.booleans()).map(
            lambda told: lambda order: saga.arrived(order, Arrival(told[0], told[1], is_last=told[2]))
        ),
        few.map(lambda units: lambda order: saga.returned(order, units)),
        few.map(lambda units: lambda order: saga.written_off(order, units)),
        st.sampled_from(ErpTransferState).flatmap(lambda state: few.map(lambda units: found(state, units=units))).map(
            lambda there: lambda order: saga.accepted(order, there, "go on with these")
        ),
        few.map(lambda units: lambda order: saga.shrunk(order, units, "less is there")),
        st.sampled_from((
            saga.requested, saga.closed, saga.shipped, saga.acknowledged,
            lambda order: saga.asked_again(order, "try"), lambda order: saga.cancelling(order, "a recall"),
            lambda order: saga.withdrawn(order, "outrun"), lambda order: saga.doubted(order, "no answer"),
            lambda order: saga.left_to_people(order, "unclear"), lambda order: lateness.overdue(order, date(2026, 2, 1), 2),
        )),
    )  # fmt: skip


@given(st.lists(news(), max_size=14))
def test_units_are_conserved_and_where_the_order_says_whatever_is_learned(
    heard: list[Callable[..., Step | None]],
) -> None:
    order, moves = ORDER, [reserve("P1", LANE, 10)]
    for each in heard:
        step = each(order)
        if step is None:
            continue
        assert (
            step.order.state is order.state
            or step.order.state in STEPS[order.state]
            or ((order.state, step.order.state) == (OrderState.CONFIRMED, OrderState.CANCELLED))
        )
        order, moves = step.order, [*moves, *step.moves]
    balances = Counter(replay(moves))
    over = -balances[outside(OutsideReason.OVER_RECEIPT), "P1"]
    assert sum(balances.values()) == 0
    assert balances[reserved("S1"), "P1"] == (order.units if order.reserved else 0)
    assert balances[in_transit(LANE), "P1"] == order.in_transit_units >= 0
    assert over == order.over_units
    assert balances[available("S2"), "P1"] == order.received_units + over
    assert balances[outside(OutsideReason.DAMAGED), "P1"] == order.damaged_units
    assert balances[outside(OutsideReason.LOST_IN_TRANSIT), "P1"] == order.lost_units
    assert not (order.reserved and order.has_left)
    if order.state.is_final:
        assert not order.reserved
        assert order.in_transit_units == 0


@given(st.sampled_from((ORDER, replace(ORDER, state=OrderState.REQUESTED), CONFIRMED, SHIPPED, RECALLED)), answers())
def test_what_the_erp_says_is_taken_over_in_a_few_steps_and_then_changes_nothing_more(
    order: OrderFacts, answer: ErpTransfer | Refused | None
) -> None:
    for _ in range(6):
        step = following.learned(order, answer)
        if step is None:
            break
        order = step.order
    assert following.learned(order, answer) is None


def test_a_confirmed_transfer_keeps_its_reservation_until_it_ships() -> None:
    step = taken(following.learned(replace(ORDER, state=OrderState.REQUESTED), found(ErpTransferState.CONFIRMED)))
    assert (step.order.state, step.order.reserved, step.moves) == (OrderState.CONFIRMED, True, ())
    assert [move.to_place for move in taken(saga.shipped(step.order)).moves] == [in_transit(LANE)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (found(ErpTransferState.CONFIRMED, units=11), "11 units under our reference, 10 were approved"),
        (replace(found(ErpTransferState.CONFIRMED), sku_id="P2"), "another SKU or other sites"),
    ],
)
def test_other_content_under_our_reference_is_left_to_people(answer: ErpTransfer, words: str) -> None:
    step = taken(following.learned(replace(ORDER, state=OrderState.REQUESTED), answer))
    assert step.order.state is OrderState.NEEDS_ATTENTION
    assert words in (step.order.attention or "")
    assert step.order.reserved, "doubt is not a no"


@pytest.mark.parametrize("state", [ErpTransferState.CONFIRMED, ErpTransferState.SHIPPED, ErpTransferState.RECEIVED])
def test_units_that_a_clerk_changed_after_the_confirmation_are_left_to_people_and_none_is_booked(
    state: ErpTransferState,
) -> None:
    step = taken(following.learned(CONFIRMED, found(state, units=6, received_units=6)))
    assert (step.order.state, step.order.reserved, step.moves) == (OrderState.NEEDS_ATTENTION, True, ())
    assert step.order.attention == "the ERP has 6 units under our reference, 10 were approved"
    assert step.facts["erp_id"] == "X-1"
    assert saga.actions(step.order) == (Action.ASK_AGAIN, Action.ACCEPT, Action.CANCEL)


def test_an_order_goes_on_with_what_the_erp_has_of_it_once_people_say_so() -> None:
    received = found(ErpTransferState.RECEIVED, units=6, received_units=6)
    told = taken(following.learned(CONFIRMED, received)).order
    step = taken(saga.accepted(told, received, "six were packed"))
    assert (step.order.state, step.order.units, step.order.attention) == (OrderState.CONFIRMED, 6, None)
    assert [(move.to_place, move.units) for move in step.moves] == [(available("S1"), 4)]
    assert step.facts == {
        "reason": "six were packed", "sku_id": "P1", "origin": "S1", "destination": "S2",
        "units": 6, "decided_units": 10, "erp_id": "X-1",
    }  # fmt: skip
    gone = taken(following.learned(step.order, received)).order
    done = taken(following.learned(gone, received)).order
    assert (done.state, done.received_units, done.lost_units) == (OrderState.RECEIVED, 6, 0)


_SIX = found(ErpTransferState.SHIPPED, units=6)


@pytest.mark.parametrize(
    "there",
    [
        found(ErpTransferState.SHIPPED, units=5_000),
        found(ErpTransferState.CONFIRMED, units=11),
        found(ErpTransferState.CONFIRMED, units=0),
        found(ErpTransferState.CANCELLED, units=6),
        replace(_SIX, sku_id="P2"),
        replace(_SIX, units=10, sku_id="P2"),
        replace(_SIX, origin="S9"),
        replace(_SIX, destination="S9"),
        replace(_SIX, reference="r-2"),
    ],
)
def test_nobody_accepts_another_sku_other_sites_or_more_than_was_approved(there: ErpTransfer) -> None:
    asked = taken(following.learned(CONFIRMED, _SIX)).order
    assert Action.ACCEPT in saga.actions(asked)
    assert saga.accepted(asked, there, "go on") is None


@pytest.mark.parametrize(
    "there",
    [
        found(ErpTransferState.SHIPPED, units=5_000),
        replace(_SIX, units=10, sku_id="P2"),
        replace(_SIX, sku_id="P2"),
        replace(_SIX, destination="S9"),
        None,
    ],
)
@pytest.mark.parametrize("state", [OrderState.CONFIRMED, OrderState.REQUESTED])
def test_what_nobody_may_accept_is_not_offered(there: ErpTransfer | None, state: OrderState) -> None:
    told = following.learned(replace(CONFIRMED, state=state), there)
    if told is None:
        assert (there, state) == (None, OrderState.REQUESTED)
        return
    assert saga.actions(told.order) == (Action.ASK_AGAIN, Action.CANCEL)
    if there is not None:
        assert told.facts["erp_id"] == "X-1", "where it is to be found stays on record"


@pytest.mark.parametrize("units", [6, 10])
@pytest.mark.parametrize("later", [{"units": 7}, {"units": 5}, {"units": 12}, {"sku_id": "P2"}, {"origin": "S9"}])
def test_what_the_erp_has_after_it_was_accepted_is_asked_about_anew(units: int, later: dict[str, object]) -> None:
    asked = taken(saga.left_to_people(CONFIRMED, "the ERP has another SKU or other sites under our reference")).order
    on = taken(saga.accepted(asked, found(ErpTransferState.CONFIRMED, units=units), "we send that")).order
    assert (on.state, on.units, on.attention) == (OrderState.CONFIRMED, units, None)
    there = replace(found(ErpTransferState.SHIPPED, units=units), **later)  # type: ignore[arg-type]  # fields by their names
    step = taken(following.learned(on, there))
    assert (step.order.state, step.order.has_left, step.moves) == (OrderState.NEEDS_ATTENTION, False, ())


def test_an_order_that_people_have_gone_on_whole_says_what_they_accepted() -> None:
    asked = taken(saga.left_to_people(CONFIRMED, "its lane is closed")).order
    on = taken(saga.accepted(asked, found(ErpTransferState.CONFIRMED), "it is packed"))
    assert (on.event, on.moves, on.facts) == (saga.TransferEvent.RESUMED, (), {
        "reason": "it is packed", "sku_id": "P1", "origin": "S1", "destination": "S2", "units": 10, "erp_id": "X-1",
    })  # fmt: skip


def test_another_sku_is_named_before_other_units() -> None:
    both = replace(found(ErpTransferState.SHIPPED, units=6), sku_id="P2")
    assert "another SKU or other sites" in (taken(following.learned(CONFIRMED, both)).order.attention or "")


def test_a_transfer_of_other_content_that_is_being_cancelled_is_left_to_people_only_once_it_has_left() -> None:
    cancelling = taken(saga.cancelling(CONFIRMED, "a recall")).order
    assert following.learned(cancelling, found(ErpTransferState.CONFIRMED, units=6)) is None
    step = taken(following.learned(cancelling, found(ErpTransferState.SHIPPED, units=6)))
    assert (step.order.state, step.order.has_left) == (OrderState.NEEDS_ATTENTION, False)


def test_what_the_erp_never_had_of_the_goods_under_way_is_not_lost_without_a_person() -> None:
    done = found(ErpTransferState.RECEIVED, units=6, received_units=6)
    came = taken(following.learned(SHIPPED, done)).order
    assert (came.received_units, came.lost_units, came.state) == (6, 0, OrderState.PARTIALLY_RECEIVED)
    told = taken(following.learned(came, done)).order
    assert (told.state, told.in_transit_units) == (OrderState.NEEDS_ATTENTION, 4)
    assert told.attention == (
        "the ERP is done with 6 units under our reference, 10 were booked out: 4 are at the origin still, or lost"
    )
    assert saga.actions(told) == (Action.RECEIVE, Action.CANCEL, Action.WRITE_OFF)
    back = taken(saga.cancelling(told, "they are on the shelf")).order
    assert following.learned(back, done) is None
    assert taken(saga.returned(back, 4)).order.state is OrderState.RECEIVED


def test_the_receipt_of_another_sku_is_not_booked_as_that_of_ours() -> None:
    other = replace(found(ErpTransferState.RECEIVED, received_units=10), sku_id="P2")
    step = taken(following.learned(SHIPPED, other))
    assert (step.order.state, step.moves) == (OrderState.NEEDS_ATTENTION, ())
    assert following.learned(RECALLED, other) is None


def test_receipts_of_the_erp_are_totals_and_those_that_people_reported_are_not_booked_again() -> None:
    reported = taken(saga.arrived(SHIPPED, Arrival(4))).order
    assert following.learned(reported, found(ErpTransferState.PARTIALLY_RECEIVED, received_units=4)) is None
    more = taken(following.learned(reported, found(ErpTransferState.PARTIALLY_RECEIVED, received_units=7)))
    assert (more.order.received_units, more.facts) == (7, {"units": 3})


def test_what_the_erp_never_received_is_lost_once_it_is_done() -> None:
    step = taken(following.learned(SHIPPED, found(ErpTransferState.RECEIVED, received_units=7, damaged_units=2)))
    assert (step.order.state, step.order.lost_units) == (OrderState.RECEIVED, 1)
    assert step.order.attention == "2 units arrived damaged; 1 unit never arrived"


def test_more_than_had_left_is_booked_and_told() -> None:
    step = taken(saga.arrived(SHIPPED, Arrival(12)))
    assert step.order.state is OrderState.RECEIVED
    assert step.facts == {"units": 10, "over_units": 2}
    assert "2 units more arrived" in (step.order.attention or "")
    closed = taken(saga.closed(step.order)).order
    assert saga.actions(closed) == (Action.ACKNOWLEDGE,)
    assert taken(saga.acknowledged(closed)).order.attention is None


def test_goods_that_left_before_the_cancellation_are_shipped_and_can_be_called_back() -> None:
    cancelling = taken(saga.cancelling(CONFIRMED, "a recall")).order
    gone = taken(following.learned(cancelling, found(ErpTransferState.SHIPPED))).order
    assert (gone.state, gone.reserved) == (OrderState.SHIPPED, False)
    back = taken(saga.cancelling(gone, "bring them back")).order
    half = taken(saga.returned(back, 6)).order
    assert half.state is OrderState.COMPENSATING
    end = taken(saga.returned(half, 4))
    assert end.order.state is OrderState.CANCELLED
    assert [(move.to_place, move.units) for move in end.moves] == [(available("S1"), 4)]


def test_a_cancellation_ends_when_the_erp_has_nothing() -> None:
    cancelling = taken(saga.cancelling(replace(ORDER, state=OrderState.REQUESTED), "a recall")).order
    step = taken(following.learned(cancelling, None))
    assert (step.order.state, step.order.reserved) == (OrderState.CANCELLED, False)


def test_units_that_a_count_did_not_find_leave_the_books_with_the_reservation() -> None:
    step = taken(saga.withdrawn(ORDER, "outrun", missing_units=3))
    assert replay([reserve("P1", LANE, 10), *step.moves])[available("S1"), "P1"] == -3


@pytest.mark.parametrize(
    ("order", "possible"),
    [
        (ORDER, (Action.CANCEL,)),
        (CONFIRMED, (Action.CANCEL,)),
        (replace(CONFIRMED, state=OrderState.NEEDS_ATTENTION), (Action.ASK_AGAIN, Action.ACCEPT, Action.CANCEL)),
        (replace(ORDER, state=OrderState.NEEDS_ATTENTION), (Action.ASK_AGAIN, Action.CANCEL)),
        (SHIPPED, (Action.RECEIVE, Action.CANCEL, Action.WRITE_OFF)),
        (RECALLED, (Action.RECEIVE, Action.RETURN, Action.WRITE_OFF)),
        (replace(ORDER, state=OrderState.REFUSED, reserved=False), ()),
    ],
)
def test_people_are_offered_what_is_possible(order: OrderFacts, possible: tuple[Action, ...]) -> None:
    assert saga.actions(order) == possible


def test_overdue_goods_are_told_once_after_the_days_of_grace() -> None:
    assert lateness.overdue(SHIPPED, SHIPPED.arrive_on + timedelta(days=2), 2) is None
    step = taken(lateness.overdue(SHIPPED, SHIPPED.arrive_on + timedelta(days=3), 2))
    assert step.facts == {"late_days": 3}
    assert lateness.overdue(step.order, SHIPPED.arrive_on + timedelta(days=9), 2) is None


@pytest.mark.parametrize(
    ("order", "due", "words"),
    [
        (CONFIRMED, CONFIRMED.depart_on, "the goods should have left"),
        (SHIPPED, SHIPPED.arrive_on, "what is still in transit should have arrived"),
        (RECALLED, RECALLED.arrive_on, "called back and in transit still"),
    ],
)
def test_what_is_late_is_told_beside_what_else_is_to_be_known(order: OrderFacts, due: date, words: str) -> None:
    known = replace(order, attention="3 units arrived damaged")
    assert lateness.overdue(known, due + timedelta(days=2), 2) is None
    late = taken(lateness.overdue(known, due + timedelta(days=3), 2)).order
    assert late.attention == f"3 units arrived damaged; {late.attention.split('; ')[1]}"
    assert words in late.attention
    assert lateness.overdue(late, due + timedelta(days=4), 2) is None
    later = replace(late, depart_on=due + timedelta(days=5), arrive_on=due + timedelta(days=5))
    again = taken(lateness.overdue(later, due + timedelta(days=9), 2)).order
    assert (again.attention or "").startswith("3 units arrived damaged; ")
    assert (again.attention or "").count("should have ") == 1, (
        "the day that was named before is not of interest any more"
    )


@pytest.mark.parametrize("order", [SHIPPED, RECALLED])
def test_what_is_late_is_told_once_for_a_day_whatever_arrives_or_is_unclear_meanwhile(order: OrderFacts) -> None:
    day = order.arrive_on + timedelta(days=3)
    late = taken(lateness.overdue(order, day, 2)).order
    damaged = taken(saga.arrived(late, Arrival(2, damaged_units=1))).order
    assert damaged.attention == f"{late.attention}; 1 unit arrived damaged"
    assert lateness.overdue(damaged, day, 2) is None
    unclear = taken(saga.left_to_people(damaged, "cancelled there")).order
    assert unclear.attention == f"{late.attention}; cancelled there"
    more = taken(saga.arrived(unclear, Arrival(1))).order
    assert more.state is OrderState.PARTIALLY_RECEIVED
    again = lateness.overdue(more, day, 2)
    assert (again is None) is (order is SHIPPED), "what was called back is on its way again, and that is told"


def test_of_what_is_in_transit_nothing_is_to_be_known_once_nothing_is() -> None:
    damaged = taken(saga.arrived(SHIPPED, Arrival(2, damaged_units=1))).order
    late = taken(lateness.overdue(damaged, SHIPPED.arrive_on + timedelta(days=3), 2)).order
    lost = taken(saga.arrived(late, Arrival(6, is_last=True))).order
    assert lost.attention == "1 unit arrived damaged; 1 unit never arrived"
    assert taken(saga.arrived(late, Arrival(7))).order.attention is None


def test_a_doubt_is_told_once_after_people_have_accepted_something() -> None:
    fewer = found(ErpTransferState.CONFIRMED, units=6)
    asked = taken(following.learned(CONFIRMED, fewer)).order
    agreed = taken(saga.accepted(asked, fewer, "we send six of it")).order
    doubted = taken(saga.doubted(agreed, "no certain answer")).order
    assert saga.doubted(doubted, "no certain answer") is None
    assert following.learned(doubted, fewer) is None, "what people have accepted is not asked again after an outage"


def test_what_came_damaged_beyond_what_had_left_is_on_record() -> None:
    step = taken(saga.arrived(SHIPPED, Arrival(8, damaged_units=5)))
    assert step.facts == {"units": 8, "damaged_units": 2, "over_damaged_units": 3}
    assert "3 units more arrived damaged than had left" in (step.order.attention or "")
    assert sum(move.units for move in step.moves) == 10


def test_a_line_shrinks_and_never_grows() -> None:
    step = taken(saga.shrunk(ORDER, 7, "three packs less are there"))
    assert (step.order.units, [move.units for move in step.moves]) == (7, [3])
    assert saga.shrunk(ORDER, 11, "more") is None
    assert saga.shrunk(CONFIRMED, 7, "too late") is None


def test_a_step_that_an_order_does_not_have_is_refused() -> None:
    with pytest.raises(StepRefusedError, match="that is released cannot become shipped"):
        saga._to(ORDER, OrderState.SHIPPED, saga.TransferEvent.SHIPPED)
