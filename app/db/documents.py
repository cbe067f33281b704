"""Documents as stored bytes: canonical JSON, compressed."""

from __future__ import annotations

import json
import zlib
from typing import Any

from tools.canonical import canonical_json


def packed(document: object) -> bytes:
    """The canonical bytes of a document, compressed."""
    return zlib.compress(canonical_json(document), level=6)


def unpacked(stored: bytes) -> Any:
    """The document that `packed` stored."""
    return json.loads(zlib.decompress(stored))
