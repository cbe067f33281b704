"""What our sites and SKUs are called in an ERP: the same, unless the settings say otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import SetUpError


class Counterparts:
    """Two ways between our ids and the codes of an ERP. Raises SetUpError where two of ours share one code there."""

    def __init__(self, sites: Mapping[str, str] | None = None, skus: Mapping[str, str] | None = None) -> None:
        self._sites, self._skus = dict(sites or {}), dict(skus or {})
        self._site_ids = _inverse("EVENKEEL_ERP_SITES", self._sites)
        self._sku_ids = _inverse("EVENKEEL_ERP_SKUS", self._skus)

    def site_code(self, site_id: str) -> str:
        """The code of a site of ours."""
        return self._sites.get(site_id, site_id)

    def sku_code(self, sku_id: str) -> str:
        """The code of a SKU of ours."""
        return self._skus.get(sku_id, sku_id)

    def site_id(self, code: str) -> str:
        """Our id of a site."""
        return self._site_ids.get(code, code)

    def sku_id(self, code: str) -> str:
        """Our id of a SKU."""
        return self._sku_ids.get(code, code)


def _inverse(variable: str, codes: Mapping[str, str]) -> dict[str, str]:
    found = {code: ours for ours, code in codes.items()}
    if len(found) < len(codes):
        twice = next(code for code in found if list(codes.values()).count(code) > 1)
        raise SetUpError(
            "erp_counterparts", f"{variable} gives {twice!r} to two of ours", "give each a code of its own"
        )
    return found
