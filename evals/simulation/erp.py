"""The ERP of the simulation and the network to it. What has been sent may arrive, later, twice, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from tools.inventory import LaneKey
from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError, Refused, TransferContent


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the days are. Probabilities from 0 to 1; delays in seconds.

    `idempotent`: the ERP knows a reference that it has seen. One that does not is spared
    late and repeated requests: nothing could help it.
    """

    crash: float
    lost: float
    repeated: float
    delay_seconds: float
    reply_lost: float
    refusing: float
    sloppy: float
    forgetful: bool
    idempotent: bool

    @classmethod
    def drawn(cls, luck: Random) -> Weather:
        """The weather of one seed."""
        idempotent = luck.random() < 0.7
        return cls(
            crash=luck.choice((0.0, 0.01, 0.03, 0.08)),
            lost=luck.choice((0.0, 0.1, 0.3)),
            repeated=luck.choice((0.0, 0.1, 0.5)) if idempotent else 0.0,
            delay_seconds=luck.choice((0.0, 20.0, 80.0)) if idempotent else 0.0,
            reply_lost=luck.choice((0.0, 0.1, 0.3)),
            refusing=luck.choice((0.0, 0.2)),
            sloppy=luck.choice((0.0, 0.0, 0.1)),
            forgetful=luck.random() < 0.15,
            idempotent=idempotent,
        )


class SimulatedErp:
    """An `ErpPort`. `now` is the clock of the world; `pass_by` lets the world interfere between two words."""

    def __init__(
        self, luck: Random, weather: Weather, now: Callable[[], float], pass_by: Callable[[str], None]
    ) -> None:
        self._luck = luck
        self.weather = weather
        self._now = now
        self._pass_by = pass_by
        self.transfers: dict[str, ErpTransfer] = {}
        self.made: list[str] = []
        """The reference of each transfer that was made, as often as it was."""
        self.by_hand: set[str] = set()
        """References that hands in the ERP have made, or taken up again after they were cancelled."""
        self.edited: set[str] = set()
        """References whose transfer hands in the ERP have made one of other units, or of another SKU."""
        self.asked_at: list[tuple[str, float]] = []
        """When each request to make one was sent."""
        self.asked: Callable[[str, LaneKey], None] = lambda _reference, _lane: None
        """Told of each of these requests."""
        self._under_way: list[tuple[float, TransferContent]] = []

    def find(self, reference: str) -> ErpTransfer | None:
        """The transfer with our reference."""
        self._say("find")
        return self.transfers.get(reference)

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Make the transfer."""
        self._pass_by("before create")
        self.asked_at.append((content.reference, self._now()))
        self.asked(content.reference, content.lane)
        if self._luck.random() < self.weather.lost:
            raise ErpUncertainError("the request was lost")
        if self._luck.random() < self.weather.repeated:
            self._under_way.append((self._now() + self._luck.uniform(0, self.weather.delay_seconds), content))
        if self.weather.delay_seconds and self._luck.random() < 0.3:
            self._under_way.append((self._now() + self._luck.uniform(0, self.weather.delay_seconds), content))
            raise ErpUncertainError("no answer in time")
        answer = self._make(content)
        self._pass_by("after create")
        if self._luck.random() < self.weather.reply_lost:
            raise ErpUncertainError("the reply was lost")
        return answer

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """Give the transfer up before the goods leave."""
        self._say("cancel")
        transfer = self.transfers.get(reference)
        if transfer is None:
            return Refused("there is no such transfer")
        if transfer.state not in (ErpTransferState.CONFIRMED, ErpTransferState.CANCELLED):
            return Refused(f"it is {transfer.state}")
        self.transfers[reference] = replace(transfer, state=ErpTransferState.CANCELLED)
        if self._luck.random() < self.weather.reply_lost:
            raise ErpUncertainError("the reply was lost")
        return self.transfers[reference]

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """Every transfer; a simulated ERP is young."""
        del since
        self._say("list")
        return sorted(self.transfers.values(), key=lambda transfer: transfer.reference)

    def deliver(self, *, everything: bool = False) -> None:
        """What was under way and has arrived by now."""
        due = [item for item in self._under_way if everything or item[0] <= self._now()]
        self._under_way = [item for item in self._under_way if item not in due]
        for _, content in due:
            self._make(content)

    def make_by_hand(self, transfer: ErpTransfer) -> None:
        """A transfer under a reference that looks like ours, or one that is taken up again."""
        self.by_hand.add(transfer.reference)
        self.transfers[transfer.reference] = transfer

    def edit(self, reference: str, **fields: object) -> None:
        """A clerk changes how many units a transfer is of, or of which SKU."""
        self.edited.add(reference)
        self.change(reference, **fields)

    def change(self, reference: str, **fields: object) -> None:
        """What hands in the ERP do to a transfer."""
        self.transfers[reference] = replace(self.transfers[reference], **fields)  # type: ignore[arg-type]

    def _make(self, content: TransferContent) -> ErpTransfer | Refused:
        known = self.transfers.get(content.reference)
        if known is not None and self.weather.idempotent:
            return Refused("other content") if known.differs_from(content) else known
        if Random(content.reference).random() < self.weather.refusing:  # noqa: S311  luck, not secrecy
            return Refused("no dock is free")
        self.made.append(content.reference)
        units = content.units + (self._luck.random() < self.weather.sloppy)
        made = ErpTransfer(
            content.reference, f"E-{len(self.made)}", ErpTransferState.CONFIRMED, units,
            sku_id=content.sku_id, origin=content.lane.origin, destination=content.lane.destination,
        )  # fmt: skip
        self.transfers[content.reference] = made
        return made

    def _say(self, what: str) -> None:
        self._pass_by(f"before {what}")
        if self._luck.random() < self.weather.lost:
            raise ErpUncertainError("no answer in time")
