"""How likely a site is to run out of a SKU before its regular supply comes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.demand import DemandView, survival_of
from tools.demand_table import IntArray
from tools.inventory import SiteSku
from tools.positions import projected_units_of

BP = 10_000
PPM = 1_000_000


def stock_outs_bp(view: DemandView, keys: Sequence[SiteSku]) -> IntArray:
    """P(demand until the regular supply > what the site can count on), in hundredths of a percent, cut off: (keys,)."""
    days = view.horizons(keys)
    mean, variance = view.windows(keys, np.zeros(len(keys), dtype=np.int64), days)
    units = projected_units_of(view.snapshot, keys, days)
    return np.floor(survival_of(mean, variance, units) * BP).astype(np.int64)


def one_left_ppm(view: DemandView, keys: Sequence[SiteSku]) -> IntArray:
    """P(a unit is left when the regular supply comes), in millionths, cut off: (keys,).

    A customer who takes this SKU in place of another finds one only if the SKU's own demand leaves one.
    """
    days = view.horizons(keys)
    mean, variance = view.windows(keys, np.zeros(len(keys), dtype=np.int64), days)
    units = projected_units_of(view.snapshot, keys, days)
    return np.floor((1.0 - survival_of(mean, variance, units - 1)) * PPM).astype(np.int64)
