"""Names of a network as they stand in sentences: ids and names of SKUs and sites, one word or several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from tools.inventory import Snapshot

TOKEN = re.compile(r"[^\W_]+(?:[._-][^\W_]+)*")
"""A word, a number or an id. Ids hold dots, dashes and underscores, but do not end with one."""


class Found(NamedTuple):
    """A name in a text: where it stands, and what it may stand for."""

    start: int
    end: int
    entities: frozenset[str]


class Vocabulary:
    """Every name that a caller may see, by its words. One word of letters only must be written in the same case."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._entities: dict[tuple[str, ...], set[str]] = {}
        self._cased: dict[str, set[str]] = {}
        for entity, name in names:
            words = tuple(word.lower() for word in TOKEN.findall(name))
            if len(words) == 1 and name.strip().isalpha():
                if len(name.strip()) > 1:
                    self._cased.setdefault(name.strip(), set()).add(entity)
            elif words:
                self._entities.setdefault(words, set()).add(entity)
        self._longest = max(map(len, self._entities), default=1)

    @classmethod
    def of(cls, snapshot: Snapshot, sites: frozenset[str] | None, *, sees_sensitive: bool) -> Self:
        """The names of a snapshot that somebody with these sites may see; worked out once for each such caller."""
        key = (cls, sites, sees_sensitive)
        found: Self | None = snapshot.worked_out.get(key)
        if found is None:
            found = snapshot.worked_out[key] = cls(_names(snapshot, sites, sees_sensitive=sees_sensitive))
        return found

    def find(self, text: str) -> Iterator[Found]:
        """The names in a text from its beginning to its end, the longest first, none within another."""
        tokens = list(TOKEN.finditer(text))
        words = [token[0].lower() for token in tokens]
        at = 0
        while at < len(tokens):
            size, entities = self._at(text, tokens, words, at)
            if entities:
                yield Found(tokens[at].start(), tokens[at + size - 1].end(), frozenset(entities))
            at += size

    def _at(self, text: str, tokens: list[re.Match[str]], words: list[str], at: int) -> tuple[int, set[str]]:
        for size in range(min(self._longest, len(words) - at), 0, -1):
            entities = self._entities.get(tuple(words[at : at + size]), set())
            if entities and not (size == 1 and _part_of_number(text, tokens[at])):
                return size, entities
        return 1, self._cased.get(tokens[at][0], set())


def _part_of_number(text: str, token: re.Match[str]) -> bool:
    """Whether the digits go on beyond the token: `1` in `1,234`."""
    before, after = text[max(token.start() - 2, 0) : token.start()], text[token.end() : token.end() + 2]
    return token[0].isdigit() and bool(re.fullmatch(r"\d[.,]", before) or re.fullmatch(r"[.,]\d", after))


def _names(snapshot: Snapshot, sites: frozenset[str] | None, *, sees_sensitive: bool) -> Iterator[tuple[str, str]]:
    for site in snapshot.sites:
        if sites is None or site.site_id in sites:
            yield from ((f"site {site.site_id}", name) for name in (site.site_id, site.name))
    for sku in snapshot.skus:
        if sees_sensitive or not sku.sensitive:
            yield from ((f"sku {sku.sku_id}", name) for name in (sku.sku_id, sku.name))
