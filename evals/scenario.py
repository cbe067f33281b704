"""What a scenario is, and what is said about how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_core.language_models import BaseChatModel

from app.erp.simulated import Faults

if TYPE_CHECKING:
    from evals.stage import Stage


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something that ought to be so at this point of a scenario, and whether it is."""

    what: str
    held: bool


Play = Callable[["Stage"], Iterator[Expectation]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A play and what it needs: the ERP's bad days, who answers conversations, and settings.

    Without a vendor, and without settings that name one, the baseline answers. The
    first line of the play's docstring says what it shows.
    """

    play: Play
    faults: Faults | None = None
    vendor: Callable[[], BaseChatModel] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self.play.__name__

    @property
    def about(self) -> str:
        """What it shows, in one sentence."""
        return (self.play.__doc__ or "").strip().splitlines()[0]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one trial went.

    `broken` are expectations that did not hold, `never` are never-events: what must not
    happen in any scenario. `oracle_share` is what the posted plans save, as a share of
    what the solver's proven optimum saves; None where nothing was posted.
    """

    scenario: str
    about: str
    trial: int
    held: int
    broken: tuple[str, ...]
    never: tuple[str, ...]
    posted: int
    events: int
    oracle_share: float | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Everything held, and nothing happened that must never happen."""
        return not self.broken and not self.never and self.held > 0
