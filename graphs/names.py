"""From what a person wrote to the SKU, site or category they meant, or a question back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from graphs.likeness import Likeness
from tools.canonical import digest
from tools.inventory import SiteKind, Snapshot
from tools.transfers import LaneRef

ELSEWHERE = "(elsewhere)"
"""What a site outside the caller's own is called: one word for all of them, and no id that a site could have."""

NEAREST_MAX = 5
"""So many names are offered where it is not clear which is meant."""

SURELY = "; surely meant: "
"""In what an UnclearError says, between what was written and the only names that it comes near, joined by commas."""

_CENTRE = frozenset(("dc", "distribution centre", "distribution center", "central warehouse", "warehouse", "depot"))
"""What people call a distribution centre where there is only one."""


_ALL_OF_A_KIND = {
    "all stores": SiteKind.STORE, "all shops": SiteKind.STORE, "all warehouses": SiteKind.WAREHOUSE, "all dcs": SiteKind.DC,
}  # fmt: skip
"""What stands for every site of a kind, as far as the caller sees them."""

_SITE_NOUN = re.compile(r" (?:store|shop|site|branch|warehouse)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Meant:
    """Ids that mentions stand for, each tuple sorted."""

    skus: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class UnclearError(ValueError):
    """A mention that stands for nothing known, or for several things. `nearest` holds what comes close.

    `surely` holds what alone comes near enough to be meant, if anything does: one name, or several written in a row.
    With `are_several` each of the nearest has that very name.
    """

    def __init__(
        self,
        mention: str,
        nearest: Sequence[str],
        what: str = "SKU, site or category",
        surely: Sequence[str] = (),
        *,
        are_several: bool = False,
    ) -> None:
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        hint = f"{SURELY}{', '.join(surely)}" if surely else hint
        why = f"single {what}: several have that name" if are_several else f"{what} that is known here"
        super().__init__(f"{mention!r} is no {why}{hint}")
        self.mention = mention
        self.nearest = tuple(nearest)
        self.surely = tuple(surely)


class Names:
    """The names of one snapshot, as far as a caller may see them.

    A SKU that the caller has no clearance for goes by an alias that gives nothing away,
    a site outside their own by no name at all. `sensitive_now` are SKUs that are
    sensitive today, whatever they were when the snapshot was frozen.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        sites: frozenset[str] | None,
        *,
        sees_sensitive: bool,
        sensitive_now: frozenset[str] = frozenset(),
    ) -> None:
        self._snapshot = snapshot
        self._own_sites = sites
        sensitive = sensitive_now.union(sku.sku_id for sku in snapshot.skus if sku.sensitive)
        self._hidden = frozenset() if sees_sensitive else sensitive

    @cached_property
    def _sites(self) -> dict[str, set[str]]:
        return _index((site.site_id, site.name) for site in self._snapshot.sites if self._sees(site.site_id))

    @cached_property
    def _skus(self) -> dict[str, set[str]]:
        shown = _index((sku.sku_id, sku.name) for sku in self._snapshot.skus if sku.sku_id not in self._hidden)
        return shown | {alias_of(sku_id).lower(): {sku_id} for sku_id in self._hidden}

    @cached_property
    def _categories(self) -> dict[str, set[str]]:
        return _index((sku.category, sku.category) for sku in self._snapshot.skus if sku.category)

    def _sees(self, site_id: str) -> bool:
        return self._own_sites is None or site_id in self._own_sites

    def sku(self, sku_id: str) -> str:
        """What the SKU is called in an answer to this caller."""
        return alias_of(sku_id) if sku_id in self._hidden else sku_id

    def site(self, site_id: str) -> str:
        """What the site is called in an answer to this caller."""
        return site_id if self._sees(site_id) else ELSEWHERE

    def words(self, text: str) -> str:
        """A text as this caller may read it: ids and names that are not for them give way to what they are called here.

        For words of rules, people and the ERP, which name SKUs and sites wherever they like.
        """
        # Hardly any of thousands of secrets stand in one text, and one pattern of them all would take seconds.
        folded = _folded(text)
        present = [(name, called) for name, called in self._secrets if _folded(name) in folded]
        if not present:
            return text
        listed = "|".join(f"({re.escape(name)})" for name, _ in present)
        # A longer id that a secret is a part of is cut as well: better too much.
        secret = re.compile(rf"(?<![A-Za-z0-9])(?:{listed})(?![A-Za-z0-9])", re.IGNORECASE)
        return secret.sub(lambda found: present[(found.lastindex or 1) - 1][1], text)

    @cached_property
    def _secrets(self) -> list[tuple[str, str]]:
        """Every id and name that is not for this caller, and what it is called here: the longest first."""
        skus = [sku for sku in self._snapshot.skus if sku.sku_id in self._hidden]
        sites = [site for site in self._snapshot.sites if not self._sees(site.site_id)]
        pairs = [(name, alias_of(sku.sku_id)) for sku in skus for name in (sku.sku_id, sku.name.strip())]
        pairs += [(name, ELSEWHERE) for site in sites for name in (site.site_id, site.name.strip())]
        return sorted(((name, called) for name, called in pairs if name), key=lambda pair: (-len(pair[0]), pair))

    def meant(self, mentions: Iterable[str]) -> Meant:
        """What the mentions stand for. Raises UnclearError for the first that is not clear."""
        skus: set[str] = set()
        sites: set[str] = set()
        categories: set[str] = set()
        for mention in mentions:
            wanted = mention.strip().lower()
            for index, into in ((self._skus, skus), (self._sites, sites), (self._categories, categories)):
                found = index.get(wanted, set())
                if len(found) > 1:
                    raise UnclearError(mention, sorted(found), are_several=True)
                if found:
                    into.update(found)
                    break
            else:
                every = self._every(wanted)
                if not every:
                    raise self._unclear(mention, self._all, self._any_likeness)
                sites.update(every)
        return Meant(tuple(sorted(skus)), tuple(sorted(sites)), tuple(sorted(categories)))

    def sites(self, mentions: Iterable[str]) -> tuple[str, ...]:
        """The sites that the mentions stand for. Raises UnclearError."""
        found = set()
        for mention in mentions:
            wanted = mention.strip().lower()
            matches = self._sites.get(wanted, set())
            every = set() if matches else self._every(wanted)
            if len(matches) > 1:
                raise UnclearError(mention, sorted(matches), "site", are_several=True)
            if not (matches or every):
                raise self._unclear(mention, self._sites, self._site_likeness, "site")
            found |= matches | every
        return tuple(sorted(found))

    def _every(self, wanted: str) -> set[str]:
        """The caller's sites of the kind that "all stores" and the like name; none where it names no kind."""
        kind = _ALL_OF_A_KIND.get(wanted)
        return {site.site_id for site in self._snapshot.sites if site.kind is kind and self._sees(site.site_id)}

    def lanes(self, mentions: Iterable[str]) -> tuple[LaneRef, ...]:
        """Lanes written as ORIGIN->DESTINATION, or as ORIGIN->DESTINATION by MODE. Raises UnclearError."""
        return tuple(self._lane(mention) for mention in mentions)

    def _lane(self, mention: str) -> LaneRef:
        ends = [end.strip() for end in mention.replace("→", "->").split("->")]
        if len(ends) != 2:
            raise UnclearError(mention, (), "lane; write it as ORIGIN->DESTINATION")
        to, by, mode = ends[1].rpartition(" by ")
        if not by or ends[1].lower() in self._sites:  # a site may have a by in its name
            to, mode = ends[1], ""
        (origin,), (destination,) = self.sites([ends[0]]), self.sites([to])
        modes = sorted(lane.mode for lane in self._snapshot.lanes if lane.key[:2] == (origin, destination))
        known = {each.lower(): each for each in modes}
        if not modes or (mode and mode.strip().lower() not in known):
            raise UnclearError(mention, [f"{origin}->{destination} by {each}" for each in modes], "lane")
        return LaneRef(origin=origin, destination=destination, mode=known[mode.strip().lower()] if mode else None)

    @cached_property
    def _all(self) -> dict[str, set[str]]:
        return self._skus | self._sites | self._categories

    @cached_property
    def _any_likeness(self) -> Likeness:
        return Likeness(self._all)

    @cached_property
    def _site_likeness(self) -> Likeness:
        return Likeness(self._sites)

    def _unclear(
        self, mention: str, index: Mapping[str, set[str]], likeness: Likeness, what: str = "SKU, site or category"
    ) -> UnclearError:
        """What to say about a mention that is no name of the index."""
        bare = _SITE_NOUN.sub("", mention)  # "the York store" is York, unless a name ends so
        found = (
            likeness.surely(mention) or (likeness.surely(bare) if bare != mention else ()) or self._only_centre(mention)
        )
        surely = [self.sku(each) for each in found]
        near = [self.sku(found) for found in likeness.near(mention)][:NEAREST_MAX]
        return UnclearError(mention, near or self._nearest(mention, index), what, surely)

    def _only_centre(self, mention: str) -> tuple[str, ...]:
        """The caller's only distribution centre, where one is spoken of without its name."""
        if " ".join(mention.lower().split()) not in _CENTRE:
            return ()
        centres = [
            site.site_id for site in self._snapshot.sites if site.kind is SiteKind.DC and self._sees(site.site_id)
        ]
        return tuple(centres) if len(centres) == 1 else ()

    def _nearest(self, wanted: str, index: Mapping[str, set[str]]) -> list[str]:
        close = get_close_matches(wanted.strip().lower(), sorted(index), n=3, cutoff=0.5)
        return sorted({self.sku(found) for name in close for found in index[name]})


def alias_of(sku_id: str) -> str:
    """The name of a masked SKU: stable, and silent about what it stands for."""
    return f"masked-{digest({'masked_sku': sku_id})[:8]}"


def _index(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Ids by id and by name, without regard to case."""
    index: dict[str, set[str]] = {}
    by_name: dict[str, set[str]] = {}
    for key, name in pairs:
        index.setdefault(key.lower(), set()).add(key)
        by_name.setdefault(name.strip().lower(), set()).add(key)
    return by_name | index


def _folded(text: str) -> str:
    """The text without cases, as wide as a pattern that ignores them: that takes dotted and dotless i for i."""
    return text.replace("İ", "i").replace("ı", "i").casefold()
