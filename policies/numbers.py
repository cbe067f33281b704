"""The bounds of numbers in policy documents.

Amounts are in minor units of the network's currency; `BasisPoints` are hundredths of a percent.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tools.transfers import MINOR_MAX

BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
ServiceLevel = Annotated[int, Field(ge=5_000, le=9_999)]
Days = Annotated[int, Field(ge=0, le=365)]
Amount = Annotated[int, Field(ge=0, le=MINOR_MAX)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


def absent(section: object) -> bool:
    """Whether a section is left out of the document, and so out of its digest."""
    return section is None
