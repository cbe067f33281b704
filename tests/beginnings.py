"""What the database of a test is a copy of; the fixtures of the same names are in `tests/conftest.py`."""

from __future__ import annotations

import pytest

from evals.databases import TEMPLATE

EMPTY = pytest.mark.parametrize("template", [TEMPLATE], ids=["empty"])
"""Of a single test in a module whose tests begin with more."""
