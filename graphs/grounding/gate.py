"""The gate: what whoever watches may see of an answer while it is still being written."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from graphs.grounding.check import Check
from graphs.grounding.evidence import Evidence
from graphs.grounding.sentences import Splitter


class Gate:
    """Lets an answer through sentence by sentence, each once it is checked; from the first without a source on, nothing.

    When another answer takes its place, as a repaired one does, it is let through from
    where it goes on after what has been told, and not at all when it begins otherwise.
    What was told so is always the beginning of one text in which everything has a source.
    The evidence is gathered when the first word comes: most answers of a run are tool calls.
    """

    def __init__(self, evidence: Callable[[], Evidence]) -> None:
        self._evidence = evidence
        self.told = ""
        self.begin()

    def begin(self) -> None:
        """An answer begins, in the place of the one before it if there was one."""
        self._check: Check | None = None
        self._splitter = Splitter()
        self._heard = ""
        self._passed = ""
        self._is_open = True

    def take(self, piece: str) -> str:
        """What may be told now that another piece of the answer has come."""
        self._heard += piece
        return self._let_through(self._splitter.take(piece)) if self._is_open else ""

    def end(self, text: str) -> str:
        """What may be told besides now that the answer is whole: nothing when it is not what came in pieces."""
        return self._let_through(self._splitter.end()) if self._is_open and text == self._heard else ""

    def _let_through(self, sentences: Iterable[str]) -> str:
        before = self.told
        for sentence in sentences:
            self._check = self._check or Check(self._evidence())
            passed = self._passed + sentence
            goes_on = passed.startswith(self.told) or self.told.startswith(passed)
            if not goes_on or self._check.missing(sentence):
                self._is_open = False
                break
            self._passed = passed
            self.told = max(self.told, passed, key=len)
        return self.told[len(before) :]
