"""What a unit is worth today when it could also be sent later: one formula for the planner and the simulation.

Let `far` be the chance that the unit is wanted before the regular supply, and `near`
the chance that it is wanted before a transfer of the next decision could arrive. Sent
today it earns p + h with chance `far` and costs K in any case: freight, the donor's loss,
and h. If the decision is left to the next time, when more is known, a near want is lost,
a later one is still served for the same K, and what nobody wants costs nothing. So today
beats next time by (p + h) near - K (near + 1 - far), which is positive where

    (p + h) near / (near + 1 - far) > K.

The left side stands for the gain. It takes the next decision to know everything, and
so to avoid every unit that is never wanted, and it takes a want that is sure but far off
for no reason to wait. Neither is quite true. With weights for the two the share is

    near / (near + w (1 - far) + v (far - near)).

w is less than 1 because the next decision does not know everything either. v is small,
but without it a unit that is surely wanted in the end would be worth as much as one that
is wanted today, however long it could wait: near and 1 - far are both almost nothing
then, and their quotient is noise. Units that can wait would crowd urgent ones off lanes
and plans that are short.

With 0 < v <= w <= 1 the share rises with both chances and lies between them. Chances fall
with every pack, so the share falls too: gains stay convex. Where the regular supply comes
before the next chance the two chances are one, and the share is that chance. Where supply
on order arrives after the next chance, a site can be short soon and rich in the end; what
is wanted soon is wanted, so `far` counts as no less than `near`.
"""

from __future__ import annotations

import numpy as np

from tools.demand import FloatArray

UNWANTED_WEIGHT = 0.5
"""w. Between 0.25 and 0.75 the cost of whole simulated cycles changes by about 1 %, so it is no setting."""
LATER_WEIGHT = 0.02
"""v. Costs 0.0006 of the optimum on two sites, and saves up to 2 % where lanes cost money."""


def share_worth(near: FloatArray, far: FloatArray, unwanted_weight: float = UNWANTED_WEIGHT) -> FloatArray:
    """The share of p + h that a unit is worth today, from chances between 0 and 1; 0 < `unwanted_weight` <= 1."""
    at_all = np.maximum(near, far)
    spared = unwanted_weight * (1.0 - at_all) + min(LATER_WEIGHT, unwanted_weight) * (at_all - near)
    share: FloatArray = np.minimum(near / (near + spared), at_all)
    return share
