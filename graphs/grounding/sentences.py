"""Text cut into the pieces that are checked one by one: sentences, parts between semicolons, and lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(r"\n|[.!?;…][\"'”’)\]]{0,5}(?=[^\S\n])")
_ABBREVIATED = re.compile(
    r"(?<![^\W_])(?:approx|ca|circa|no|nr|vs|incl|excl|e\.g|i\.e|a\.m|p\.m|resp|est|min|max|st|dr|mr|mrs"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:\A|[:,(\n])\s*[-*•(]*\d{1,2}$")
_LOOK_BACK = 64
"""So far before a full stop is looked for what makes it none, and so much of a text is looked at again when more has come."""


class Splitter:
    """Cuts a text that comes piece by piece. Where it is cut does not depend on the pieces."""

    def __init__(self) -> None:
        self._rest = ""
        self._looked = 0

    def take(self, text: str) -> Iterator[str]:
        """The sentences that have become whole with this text. Together with `end` they are the text itself."""
        self._rest += text
        while (at := self._next_end()) is not None:
            sentence, self._rest, self._looked = self._rest[:at], self._rest[at:], 0
            yield sentence

    def end(self) -> Iterator[str]:
        """What has come after the last whole sentence, if anything."""
        rest, self._rest, self._looked = self._rest, "", 0
        if rest:
            yield rest

    def _next_end(self) -> int | None:
        for found in _END.finditer(self._rest, self._looked):
            if self._is_end(found):
                return found.end()
        self._looked = max(len(self._rest) - _LOOK_BACK, 0)
        return None

    def _is_end(self, found: re.Match[str]) -> bool:
        """Whether a sentence ends there, and it is not the full stop of `approx.` or of the number of a list."""
        if found[0][0] != ".":
            return True
        before = self._rest[max(found.start() - _LOOK_BACK, 0) : found.start()]
        is_whole = found.start() <= _LOOK_BACK
        return not (_ABBREVIATED.search(before) or _NUMBERED.search(before if is_whole else f".{before}"))


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text; together they are the text."""
    splitter = Splitter()
    yield from splitter.take(text)
    yield from splitter.end()
