"""An utterance in its normal form: one spelling, one space between tokens, and every sure name hidden.

Sure names are quoted text, tokens that look like an id (`P-100`, `S004`, `ERP`),
the ends of an arrow, and runs of capitalised words that mean nothing in the language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from copy import copy
from functools import cache

from graphs.baseline.fragments import CUT, FIRST_NAME, NAMES_MAX, OF, pattern
from graphs.baseline.vocabulary import PLACE_WORDS, TELLING
from graphs.likeness import distance

CHARACTERS_MAX = NAMES_MAX
"""A name takes a character at least, so no utterance runs out of private characters."""

_SPELLINGS = (
    (r"[\u2018\u2019\u201b`\u00b4]", "'"),
    (r"[\u201c\u201d\u201e\u201f\u00ab\u00bb]", '"'),
    (r"\s*(?:\u2192|\u21d2|\u279c|\u27f6|=>|-+>|\u2013>|\u2014>)\s*", " -> "),
    (r"\u2264", "<="),
    (r"\u2212", "-"),
    (r"\bre-?balanc", "rebalanc"),
    (r"\b(?:pls|plz|plse)\b", "please"),
    (r"\b(what|where|who|how|there|that)s\b(?!-)", r"\1 is"),
    (r"\b(do|does|did|is|are|was|should|would|could)nt\b", r"\1 not"),
    (r"\b(?:who's|who has) got\b", "who has"),
    (r"(?<!\S)w/o(?!\S)", "without"),
    (r"(?<!\S)@(?!\S)", "at"),
    (r"(?<!\S)(?:vs\.?|versus|/)(?!\S)", ","),
    (r"(?<!\S)=(?!\S)", "is"),
    (r"\boos\b", "out of stock"),
    (r"\b(?:doh|doc|dos)\b(?= |\?|$)", "days of cover"),
    (r"\b(re)-(plan)", r"\1\2"),
    (r"\bleft out\b", "leave out"),
    (r"\bleaves out\b", "leave out"),
    (r"\brebal\b", "rebalance"),
    (r"\bwhatif\b", "what if"),
    (r"\b(?:svc|serv)\.? (?=l)", "service "),
    (r"\blvl(s?)\b", r"level\1"),
    (r"\bgimm?e\b", "give me"),
    (r"\blemme\b", "let me"),
    (r"\bwanna\b", "want to"),
    (r"\b(?:thx|tks|thnx)\b", "thanks"),
    (r"\b(?:tmrw|tmr|tomorow|tommorow|tommorrow)\b", "tomorrow"),
    (r"(?<!\S)w/(?= ?\S)", "with "),
    (r"\bqty\b", "quantity"),
    (r"\bacross the board\b", "everywhere"),
    (r"\b(?:network|company|chain|estate|group|store|business)[ -]wide\b", "everywhere"),
    (r"\b(?:all over|across|throughout|in|over) the (?:estate|business|group|country|board|place)\b", "everywhere"),
    (r"\b(sign|signed|signs|signing)-off\b", r"\1 off"),
    (r"\bsignoff\b", "sign off"),
    (r"\bout of stocks?\b", "out of stock"),
    (r"(?<![\w.,-])(\d+(?:\.\d+)?) k\b", r"\1k"),
    (r"(?<![\w.,-])(\d+) ?(?:days?|d) (?:from now|time)\b", r"\1 days"),
    (r"(?<!\S)b/w(?!\S)", "between"),
    (r"(?<!\S)(\d{1,3})d(?= (?:max|maximum|tops|at most|late|delay)\b)", r"\1 days"),
    (r"\b24 ?(?:hours|hrs|h)\b", "1 day"),
    (r"\b48 ?(?:hours|hrs|h)\b", "2 days"),
    (r"\b72 ?(?:hours|hrs|h)\b", "3 days"),
    (r"\b(within|in|inside) (\d{1,3}) ?d\b", r"\1 \2 days"),
    (r"\b(within|in|inside) (\d{1,2}) ?(?:w|wks?)\b", r"\1 \2 weeks"),
    (r"\bre-stock", "restock"),
    (r"\b(stock|sold|run|over|under)-(outs?|stock|stocked|out)\b", r"\1 \2"),
    (r"\b(out|days|weeks)-of-", r"\1 of "),
    (r"\b(what)-(if)\b", r"\1 \2"),
    (r"\b(kill)-?(switch)\b", r"\1 \2"),
    (r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)-(one|two|three|four|five|six|seven|eight|nine)\b", r"\1 \2"),
    (r"(?<![\w-])(\d+)-(days?|weeks?|lines?|units?)\b", r"\1 \2"),
    (r"\bmax\.", "max"),
    (r"\bno\. ?(?=\d)", "number "),
    (r"#(?=\d)", " "),
    (r"\bcan(?:not|'t)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\blet's\b", "let us"),
    (r"\b(what|where|who|how|that|it|there|which|when)'s\b", r"\1 is"),
    (r"'s\b", ""),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"'d\b", " would"),
    (r"'m\b", " am"),
    (r"\b(everything|all|anything|every sku|every site) but\b(?! (?:spend|with|within|do|in|at most|no|not)\b)", r"\1 except"),
    (r"(?<![\w.,-])(\d{1,3}),(\d{3}),(\d{3})(?![\w.]|,\d)", r"\1\2\3"),
    (r"(?<![\w.,-])(\d{1,3}),(\d{3})(?![\w.]|,\d)", r"\1\2"),
    (r"([$\u20ac\u00a3])", r" \1 "),
    (r"(?<=\d)\s*%", " % "),
    (r"\s[-\u2013\u2014]+\s", " , "),
    (r"[()\[\]{}]", " "),
    (r"[.!?;:\u2026]+(?=\s|$)", f" {CUT} "),
    (r",", " , "),
    (r'"', ' " '),
    (r"'(?=\s|$)|(?<!\S)'", " "),
)  # fmt: skip
"""Spellings brought to one form, in this order; the left side is a regular expression, case is ignored."""
_REWRITES = tuple((re.compile(form, re.IGNORECASE), plain) for form, plain in _SPELLINGS)

SLIP_LETTERS_MIN = 6
"""In shorter words a slip may well be another word."""

_QUOTED = re.compile(r"[\"\u201c\u201e\u00ab]([^\"\u201c\u201d\u201e\u00ab\u00bb]+)[\"\u201d\u201c\u00bb]|(?<!\S)['\u2018]([^'\u2018\u2019]+)['\u2019](?=[\s,.;:!?)]|$)")  # fmt: skip
_ID = re.compile(r"(?=.*[0-9])(?=.*[^\W\d_]).+|[^\W_]+(?:[-_./][^\W_]+)+|[0-9]+(?:[-_/][0-9]+)+")
_NO_ID = re.compile(r"[0-9]+(?:st|nd|rd|th|k|\.[0-9]{1,3}k)?|[+-]?[0-9.]+|->|<=", re.IGNORECASE)
_ONE_LETTER = re.compile(r"[B-HJ-Z]")


class Utterance:
    """What somebody said, as far as it has not been understood yet. `rest` shrinks as parts are taken out of it."""

    def __init__(self, text: str, vocabulary: frozenset[str]) -> None:
        self._vocabulary = vocabulary
        self._names: list[str] = []
        self._unsure: set[str] = set()
        self._shouted = text.upper() == text
        clean = "".join(" " if unicodedata.category(c) in ("Cc", "Co", "Cs", "Cf") else c for c in text)
        quoted = _QUOTED.sub(lambda match: f" {self._hide((match[1] or match[2]).strip())} ", clean)
        for form, plain in _REWRITES:
            quoted = form.sub(plain, quoted)
        self.rest = " ".join(self._hidden([self._spelled(token) for token in quoted.split()]))

    def again(self) -> Utterance:
        """The same, to be read in another way."""
        other = copy(self)
        other._names, other._unsure = list(self._names), set(self._unsure)  # noqa: SLF001  # its own kind
        return other

    def _spelled(self, token: str) -> str:
        """A telling word of the language in place of one that is a slip of the keyboard away from it and no other word."""
        word = token.lower()
        if len(word) < SLIP_LETTERS_MIN or not word.isalpha() or word in self._vocabulary:
            return token
        near = [told for told in TELLING if told[0] == word[0] and distance(word, told, 1) <= 1]
        return near[0] if len(near) == 1 else token

    def take(self, *forms: str, leave: str = CUT) -> list[re.Match[str]]:
        """Every part that matches one of the forms, earlier forms first; `leave` remains in its place."""
        found: list[re.Match[str]] = []
        for form in forms:
            compiled = _compiled(form)
            matches = list(compiled.finditer(self.rest))
            if matches:
                found += matches
                self.rest = " ".join(compiled.sub(f" {leave} ", self.rest).split())
        return found

    def rewrite(self, form: str, to: Callable[[re.Match[str]], str]) -> bool:
        """Say a part in other words; whether there was one."""
        before = self.rest
        self.rest = " ".join(_compiled(form).sub(to, before).split())
        return self.rest != before

    def hide(self, form: str, name: str) -> None:
        """Say a part by a name: it is one from here on."""
        if self.has(form):
            token = self._hide(name)
            self.rewrite(form, lambda _: token)

    def has(self, *forms: str) -> bool:
        """Whether some part matches one of the forms."""
        return any(_compiled(form).search(self.rest) for form in forms)

    def span(self, *forms: str) -> tuple[int, int] | None:
        """From where in the rest the first to where the last match of any of the forms reaches."""
        found = [match.span() for form in forms for match in _compiled(form).finditer(self.rest)]
        return (min(start for start, _ in found), max(end for _, end in found)) if found else None

    def is_only(self, *forms: str) -> bool:
        """Whether one of the forms matches the whole, but for the ends of sentences."""
        whole = " ".join(token for token in self.rest.split() if token not in (CUT, ","))
        return any(_compiled(form).fullmatch(whole) for form in forms)

    def spoken(self, tokens: Iterable[str]) -> str:
        """Tokens as they were said, with the names in place."""
        said = (token for token in tokens if token not in (CUT, OF))
        return " ".join(self.name(token) if self.is_name(token) else token for token in said)

    def name(self, token: str) -> str:
        """The name behind a private character."""
        return self._names[ord(token) - FIRST_NAME]

    def is_name(self, token: str) -> bool:
        """Whether a token hides a name."""
        return len(token) == 1 and 0 <= ord(token) - FIRST_NAME < len(self._names)

    def is_sure(self, token: str) -> bool:
        """Whether a token hides a name that is complete: quoted, or an id."""
        return self.is_name(token) and token not in self._unsure

    def _hide(self, name: str, *, sure: bool = True) -> str:
        if not name:
            return ""
        self._names.append(unicodedata.normalize("NFC", name))
        token = chr(FIRST_NAME + len(self._names) - 1)
        if not sure:
            self._unsure.add(token)
        return token

    def _hidden(self, tokens: list[str]) -> list[str]:
        """The tokens with ids and capitalised names hidden."""
        out: list[str] = []
        run: list[str] = []
        for index, token in enumerate(tokens):
            if self._goes_on(run, token):
                run.append(token)
                continue
            out += self._closed(run)
            run = []
            if self._begins_a_name(token):
                run = [token]
            else:
                out.append(self._hide(token) if self._is_id(token, index, tokens) else token)
        return out + self._closed(run)

    def _closed(self, run: list[str]) -> list[str]:
        return [self._hide(" ".join(run), sure=False)] if run else []

    def _begins_a_name(self, token: str) -> bool:
        """Whether a capitalised word starts a name: it means nothing in the language."""
        capitalised = token.isalpha() and token[0].isupper() and len(token) > 1 and not token.isupper()
        return capitalised and not self._shouted and token.lower() not in self._vocabulary

    def _goes_on(self, run: list[str], token: str) -> bool:
        """Whether a word goes on with the capitalised name before it."""
        if not run:
            return False
        return self._begins_a_name(token) or (token[:1].isupper() and token.lower() in PLACE_WORDS)

    def _is_id(self, word: str, index: int, tokens: list[str]) -> bool:
        beside_arrow = "->" in (tokens[index + 1 : index + 2] + tokens[max(index - 1, 0) : index])
        if self.is_name(word) or word in (CUT, ",", "%", '"', "->", "<="):
            return False
        if beside_arrow:
            return True
        if _NO_ID.fullmatch(word):
            return False
        if _ID.fullmatch(word):
            return True
        if self._shouted:
            return False
        one_letter = bool(_ONE_LETTER.fullmatch(word)) or (word == "A" and index > 0)
        capitals = word.isalpha() and word.isupper() and len(word) > 1 and word.lower() not in self._vocabulary
        return one_letter or capitals


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return pattern(form)
