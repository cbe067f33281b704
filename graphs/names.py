"""From what a person wrote to the SKU, site or category they meant, or a question back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from tools.canonical import digest
from tools.inventory import Snapshot
from tools.transfers import LaneRef


@dataclass(frozen=True, slots=True)
class Meant:
    """Ids that mentions stand for, each tuple sorted."""

    skus: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class UnclearError(ValueError):
    """A mention that stands for nothing known, or for several things. `nearest` holds what comes close."""

    def __init__(self, mention: str, nearest: Sequence[str], what: str = "SKU, site or category") -> None:
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        super().__init__(f"{mention!r} is no {what} that is known here{hint}")
        self.mention = mention
        self.nearest = tuple(nearest)


class Names:
    """The names of one snapshot, as far as a caller may see them.

    A SKU that the caller has no clearance for goes by an alias that gives nothing away.
    """

    def __init__(self, snapshot: Snapshot, sites: frozenset[str] | None, *, sees_sensitive: bool) -> None:
        self._hidden = frozenset() if sees_sensitive else frozenset(s.sku_id for s in snapshot.skus if s.sensitive)
        visible = [site for site in snapshot.sites if sites is None or site.site_id in sites]
        self._sites = _index((site.site_id, site.name) for site in visible)
        shown = [sku for sku in snapshot.skus if sku.sku_id not in self._hidden]
        self._skus = _index((sku.sku_id, sku.name) for sku in shown)
        self._skus |= {alias_of(sku_id).lower(): {sku_id} for sku_id in self._hidden}
        self._categories = _index((sku.category, sku.category) for sku in snapshot.skus if sku.category)

    def sku(self, sku_id: str) -> str:
        """What the SKU is called in an answer to this caller."""
        return alias_of(sku_id) if sku_id in self._hidden else sku_id

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
                    raise UnclearError(mention, sorted(found))
                if found:
                    into.update(found)
                    break
            else:
                raise UnclearError(mention, self._nearest(wanted, self._skus | self._sites | self._categories))
        return Meant(tuple(sorted(skus)), tuple(sorted(sites)), tuple(sorted(categories)))

    def sites(self, mentions: Iterable[str]) -> tuple[str, ...]:
        """The sites that the mentions stand for. Raises UnclearError."""
        found = set()
        for mention in mentions:
            matches = self._sites.get(mention.strip().lower(), set())
            if len(matches) != 1:
                raise UnclearError(mention, sorted(matches) or self._nearest(mention, self._sites), "site")
            found |= matches
        return tuple(sorted(found))

    def lanes(self, mentions: Iterable[str]) -> tuple[LaneRef, ...]:
        """Lanes written as ORIGIN->DESTINATION. Raises UnclearError."""
        refs = []
        for mention in mentions:
            ends = [end.strip() for end in mention.replace("→", "->").split("->")]
            if len(ends) != 2:
                raise UnclearError(mention, (), "lane; write it as ORIGIN->DESTINATION")
            (origin,), (destination,) = self.sites([ends[0]]), self.sites([ends[1]])
            refs.append(LaneRef(origin=origin, destination=destination))
        return tuple(refs)

    @staticmethod
    def _nearest(wanted: str, index: Mapping[str, set[str]]) -> list[str]:
        close = get_close_matches(wanted.lower(), sorted(index), n=3, cutoff=0.5)
        return sorted({found for name in close for found in index[name]})


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
