"""Cutting the names out of an utterance: which ones, in which role, and what is left that nobody understood."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphs.baseline.fragments import CUT, OF
from graphs.baseline.utterance import Utterance
from graphs.baseline.vocabulary import (
    ARTICLES,
    ENDS_OF_NAME,
    MARKERS,
    NAME_WORDS_MAX,
    NOT_IN_NAMES,
    PLACE_MARKERS,
    SEPARATORS,
    SITE_NOUNS,
    SKU_NOUNS,
    Role,
)


@dataclass(slots=True)
class Cut:
    """Names by role, each once, in the order of the utterance; `left` is what was not understood.

    `pairs` tells that names belong together in a way that lists by role would lose.
    """

    names: dict[Role, list[str]] = field(default_factory=lambda: {role: [] for role in Role})
    left: list[str] = field(default_factory=list)
    pairs: bool = False

    def add(self, role: Role, name: str) -> None:
        """Note a name."""
        if name not in self.names[role]:
            self.names[role].append(name)


def cut_names(utterance: Utterance, passed_over: frozenset[str], *, strict: bool) -> Cut:
    """Cut the rest of an utterance into names. Strict: a word that opens a name has to be followed by one."""
    cutter = _Cutter(utterance, passed_over, strict=strict)
    tokens = utterance.rest.split()
    index = 0
    while index < len(tokens):
        index += cutter.step(tokens, index)
    cutter.close()
    return cutter.cut


class _Cutter:
    """Goes through the tokens with the role that is open, the words that opened it, and the name so far."""

    def __init__(self, utterance: Utterance, passed_over: frozenset[str], *, strict: bool) -> None:
        self.cut = Cut()
        self._utterance = utterance
        self._passed_over = passed_over
        self._strict = strict
        self._role: Role | None = None
        self._opened_by: list[str] = []
        self._named = True
        self._numbers_are_names = False
        self._item: list[str] = []
        self._after_separator = False
        self._opened: list[str] = []
        self._kinds: list[bool] = []  # whether sites or SKUs were named by their nouns, wherever that changed

    def step(self, tokens: list[str], index: int) -> int:
        """Take the token at `index`; how many tokens that were."""
        token = tokens[index]
        word = token.lower()
        two = " ".join(tokens[index : index + 2]).lower()
        separator = word in SEPARATORS
        if token == CUT:
            self.close()
        elif token == OF:
            self._open(Role.MENTIONS, [])
        elif two in MARKERS:
            self._open(MARKERS[two], tokens[index : index + 2])
        elif word in MARKERS:
            self._open(MARKERS[word], [token])
        elif word in SKU_NOUNS | SITE_NOUNS:
            self._kind_noun(token)
        elif word in ENDS_OF_NAME:
            self.close()
            self._pass_over(token)
        elif separator:
            self._close_item()
            self._opened.append(",")
        else:
            self._item.append(token)
        self._after_separator = separator
        return 2 if two in MARKERS and token not in (CUT, OF) else 1

    def close(self) -> None:
        """End the name and the role that are open."""
        self._close_item()
        if not self._named and self._strict:
            self.cut.left += self._opened_by
        self._role, self._opened_by, self._named, self._numbers_are_names = None, [], True, False

    def _open(self, role: Role, by: list[str]) -> None:
        # "Without S1 to S2" may leave out a site or a lane.
        self.cut.pairs |= self._role is Role.WITHOUT and role is Role.TO and (self._named or bool(self._item))
        self.close()
        self._role, self._opened_by, self._named = role, by, not by
        marker = by[0].lower() if by else ""
        place = marker in PLACE_MARKERS
        again = role.value in self._opened and role in (Role.FROM, Role.TO, Role.BETWEEN)
        self.cut.pairs |= again or (place and "," in self._after_first_place())
        self._opened.append("place" if place else role.value)

    def _after_first_place(self) -> list[str]:
        return self._opened[self._opened.index("place") :] if "place" in self._opened else []

    def _kind_noun(self, token: str) -> None:
        """SKU, store and the like: they open a name, or go with the name before them."""
        word = token.lower()
        site = word in SITE_NOUNS
        item = [word for word in self._item if word.lower() not in self._passed_over]
        if site and item and not self._all_sure(item):
            self._item.append(token)
            return
        if self._keeps_role(site=site, item=item):
            self._item = []
            self._opened_by = [token] if self._named else [*self._opened_by, token]
            self._named = False
        else:
            self._open(Role.MENTIONS, [token])
            self._named = bool(item)
        self._numbers_are_names = True
        if self._role is Role.MENTIONS and self._kinds[-1:] != [site]:
            self._kinds.append(site)
            self.cut.pairs |= len(self._kinds) > 2

    def _keeps_role(self, *, site: bool, item: list[str]) -> bool:
        """Whether `store` in "to store S2" or "without stores S1 and S2" belongs to the role that is open."""
        if self._role is None or item or not (self._after_separator or not self._named):
            return False
        return site or self._role in (Role.MENTIONS, Role.WITHOUT)

    def _all_sure(self, item: list[str]) -> bool:
        return all(self._utterance.is_sure(token) for token in item)

    def _close_item(self) -> None:
        item, self._item = self._item, []
        said = item
        while item and item[0].lower() in self._passed_over:
            item = item[1:]
        while item and item[-1].lower() in self._passed_over - SITE_NOUNS:  # "Cedarview warehouse" is a name
            item = item[:-1]
        if not item:
            broken_off = self._strict and self._role is not None and said[-1:] and said[-1].lower() in ARTICLES
            self.cut.left += said if broken_off else []
            return
        names = [self._utterance.spoken([token]) for token in item] if self._all_sure(item) else None
        if names is None and self._role is not None and self._is_name(item):
            names = [self._utterance.spoken(item)]
        if names is None:
            self._left(item)
            return
        self._named = True
        for name in names:
            self.cut.add(self._role or Role.MENTIONS, name)

    def _left(self, item: list[str]) -> None:
        """Without a role, names among words are names all the same; the words have to be passed over."""
        if self._role is not None:
            self.cut.left.append(self._utterance.spoken([*([] if self._named else self._opened_by), *item]))
            self._named = True
            return
        for token in item:
            if self._utterance.is_name(token):
                self.cut.add(Role.MENTIONS, self._utterance.name(token))
            else:
                self._pass_over(token)

    def _is_name(self, item: list[str]) -> bool:
        words = [token.lower() for token in item if not self._utterance.is_name(token)]
        numbers = [word for word in words if not any(letter.isalpha() for letter in word)]
        return (
            len(item) <= NAME_WORDS_MAX
            and not NOT_IN_NAMES.intersection(words)
            and (not numbers or (self._numbers_are_names and all(number.isdecimal() for number in numbers)))
        )

    def _pass_over(self, token: str) -> None:
        if token.lower() not in self._passed_over:
            self.cut.left.append(self._utterance.spoken([token]))
