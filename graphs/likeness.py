"""Which known name a written one surely means: by its words and by spelling, and only where nothing else is near.

A name is near when every written word is a word of it, give or take a slip of the keyboard. It is sure only while no
other name is near by a wider measure, so that a slip leads to the right name or to a question, never to another name.
Ids differ by single characters, so in them nothing but case, spaces and punctuation is forgiven.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_WRITTEN_MAX = 80
_WRITABLE = re.compile(r"[ -~\u00c0-\u024f]*")
"""What a keyboard writes: nothing else is a slip."""
_LONG = 8
"""From so many letters on, two slips in a word are forgiven; from `_WORD` letters on, one."""
_WORD = 4
_PAIRS_KEPT = 50_000
_IN_FULL = {
    "rd": "road", "st": "street", "ave": "avenue", "av": "avenue", "sq": "square", "mkt": "market", "ctr": "centre",
    "center": "centre", "whse": "warehouse",
}  # fmt: skip
"""How places are written in short, and on either side of the ocean."""


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A name in small plain letters: its words, and all of it without spaces."""

    words: tuple[str, ...]
    joined: str
    letters: int


class Likeness:
    """The names of an index, from a name in any spelling to the ids that are called so."""

    def __init__(self, index: Mapping[str, Iterable[str]]) -> None:
        self._names = [(_spelled(name), frozenset(ids)) for name, ids in sorted(index.items())]
        self._exact: dict[str, frozenset[str]] = {}
        for spelled, ids in self._names:
            self._exact[spelled.joined] = self._exact.get(spelled.joined, frozenset()) | ids

    def surely(self, written: str) -> tuple[str, ...]:
        """The id that is meant; several where the words are names one after the other; none when that is not sure."""
        if len(written) > _WRITTEN_MAX or not _WRITABLE.fullmatch(written):
            return ()
        spelled = _spelled(written)
        whole, anything = self._read(spelled)
        if whole is not None or anything:
            return () if whole is None else (whole,)
        return self._row(spelled.words)

    def _row(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Whole names written one after the other, if the words can be read as such in one way only."""
        readings = set()
        for cut in range(1, len(words)):
            first, rest = self._whole(words[:cut]), self._whole(words[cut:])
            after = (rest,) if rest is not None else self._row(words[cut:])
            if first is not None and after:
                readings.add((first, *after))
        return readings.pop() if len(readings) == 1 else ()

    def _whole(self, words: tuple[str, ...]) -> str | None:
        """The one id that is called exactly so, but for case, spaces and punctuation."""
        ids = self._exact.get("".join(words), frozenset())
        return next(iter(ids)) if len(ids) == 1 else None

    def near(self, written: str) -> tuple[str, ...]:
        """The ids of every name that is near, sorted: what to ask about."""
        spelled = _spelled(written[:_WRITTEN_MAX])
        found = [ids for name, ids in self._names if _slips(spelled, name) is not None]
        return tuple(sorted(frozenset().union(*found)))

    def _read(self, written: _Spelled) -> tuple[str | None, bool]:
        """The one id that is meant, and whether anything at all comes near."""
        if written.joined in self._exact or not written.joined:
            return self._whole(written.words), True
        slips = [(_slips(written, name), name, ids) for name, ids in self._names]
        fewest = min((found for found, _, _ in slips if found is not None), default=None)
        wide = fewest is None or fewest > 0
        rivals = [ids for found, name, ids in slips if found is not None or _is_rival(written, name, wide=wide)]
        ids = frozenset().union(*rivals)
        return (next(iter(ids)) if fewest is not None and len(ids) == 1 else None), bool(ids)


def _slips(written: _Spelled, name: _Spelled) -> int | None:
    """How many slips lead from the name's words to the written ones; None when they do not."""
    if not any(len(word) > 2 and word.isalpha() for word in written.words):
        return None
    total = 0
    left = list(name.words)
    for word in written.words:
        fits = [(slips, other) for other in left if (slips := _word_slips(word, other)) is not None]
        if not fits:
            return None
        slips, other = min(fits)
        left.remove(other)
        total += slips
    return total


@lru_cache(maxsize=_PAIRS_KEPT)
def _word_slips(word: str, other: str) -> int | None:
    """Slips in one word. A plural is none; words with digits, short words and first letters are forgiven nothing."""
    if word == other or (min(len(word), len(other)) > 2 and other in (f"{word}s", word.removesuffix("s"))):
        return 0
    shorter = min(len(word), len(other))
    if shorter < _WORD or word[0] != other[0] or not (word.isalpha() and other.isalpha()):
        return None
    allowed = 2 if shorter >= _LONG else 1
    found = distance(word, other, allowed)
    return found if found <= allowed else None


def _is_rival(written: _Spelled, name: _Spelled, *, wide: bool) -> bool:
    """Whether a name could have been meant by the wider measure: one slip or two anywhere in it, spaces and digits too."""
    allowed = 2 if wide and min(len(written.joined), len(name.joined)) > _WORD else 1
    if (written.letters ^ name.letters).bit_count() <= 2 * allowed and (
        distance(written.joined, name.joined, allowed) <= allowed
    ):
        return True
    return wide and all(any(_is_loose(word, other) for other in name.words) for word in written.words)


@lru_cache(maxsize=_PAIRS_KEPT)
def _is_loose(word: str, other: str) -> bool:
    allowed = 2 if min(len(word), len(other)) > _WORD else 1
    return distance(word, other, allowed) <= allowed


def distance(one: str, other: str, most: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours from one word to the other; `most` + 1 for more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, against in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                best = min(best, older[j - 2] + 1)
            row.append(best)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def _spelled(text: str) -> _Spelled:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return _of_words(tuple(_IN_FULL.get(word, word) for word in re.findall(r"[^\W_]+", plain)))


def _of_words(words: tuple[str, ...]) -> _Spelled:
    joined = "".join(words)
    return _Spelled(words, joined, sum({1 << (ord(letter) % 61) for letter in joined}))
