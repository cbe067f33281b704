"""What coordinator and workers of a plan by shards tell each other: JSON documents, with large arrays kept once by digest.

The store is scratch: nothing in it is truth, nothing outlives a plan by more than
hours, and whatever is missing can be worked out again. So it lives in a schema of its
own beside the service's tables, and no migration knows of it. Documents hold numbers
and arrays only; no stored byte can run code.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sqlalchemy import create_engine, text

from app.db.database import Database
from tools.planning.coupled import Coupled, Curves, SharedLimits
from tools.planning.flow import FlowArrays
from tools.planning.shards import AllotOrder, FlowOrder, ShardAnswer, TrialOrder

INLINE_BYTES_MAX = 4_096
"""Arrays up to this size stand in the document itself."""
CACHE_BYTES_MAX = 256 * 1024 * 1024
KEPT_HOURS = 2

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        AllotOrder, Coupled, Curves, FlowArrays, FlowOrder, ShardAnswer, SharedLimits, TrialOrder,
    )
}  # fmt: skip

_CREATE = (
    "create schema if not exists evenkeel_shards",
    """create table if not exists evenkeel_shards.body (
        digest text primary key, body bytea not null, kept_at timestamptz not null default clock_timestamp())""",
)
_PUT = text("""
    insert into evenkeel_shards.body (digest, body) values (:digest, :body)
    on conflict (digest) do update set kept_at = clock_timestamp()
""")
_GET = text("select digest, body from evenkeel_shards.body where digest = any(:digests)")
_FORGET = text("delete from evenkeel_shards.body where kept_at < clock_timestamp() - make_interval(hours => :hours)")
_LOCK = text("select pg_advisory_xact_lock(:key)")
_LOCK_KEY = 0x7368617264730000  # "shards"

Array = NDArray[Any]


class ShardStore:
    """Arrays by digest and answers by task in the database; the arrays used last are in memory too."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.engine = create_engine(database.url, isolation_level="AUTOCOMMIT", pool_size=4, hide_parameters=True)
        """Connections that commit by themselves and are not asked first whether they live: many small questions."""
        self._cache: OrderedDict[str, Array] = OrderedDict()
        self._cached_bytes = 0

    def create(self) -> None:
        """Make the schema if it is not there. Processes that start together wait for each other."""
        with self._database.transaction() as session:
            session.connection().execute(_LOCK, {"key": _LOCK_KEY})
            for statement in _CREATE:
                session.connection().execute(text(statement))

    def close(self) -> None:
        """Close every connection of the store."""
        self.engine.dispose()

    def forget_old(self) -> None:
        """Drop what nobody has used for hours."""
        with self._database.transaction() as session:
            session.connection().execute(_FORGET, {"hours": KEPT_HOURS})

    def put(self, bodies: dict[str, bytes]) -> None:
        """Keep the bodies; those that are there already count as used again."""
        if bodies:
            with self.engine.connect() as connection:
                connection.execute(_PUT, [{"digest": digest, "body": body} for digest, body in bodies.items()])

    def put_answer(self, task: str, document: Any, bodies: dict[str, bytes]) -> None:
        """Keep the answer to a task, after everything that it names."""
        self.put(bodies | {task: json.dumps(document).encode()})

    def answers(self, tasks: Collection[str]) -> dict[str, Any]:
        """The documents of those answers that are there."""
        with self.engine.connect() as connection:
            rows = connection.execute(_GET, {"digests": sorted(tasks)}).all()
        return {task: json.loads(body) for task, body in rows}

    def get(self, digests: set[str]) -> dict[str, Array]:
        """The arrays with these digests. Raises KeyError where one is not in the store."""
        missing = sorted(digests - self._cache.keys())
        if missing:
            with self.engine.connect() as connection:
                rows = connection.execute(_GET, {"digests": missing}).all()
            for digest, body in rows:
                self._remember(digest, _array_of(body))
        found = {}
        for digest in sorted(digests):
            if digest not in self._cache:
                raise KeyError(f"the array {digest[:12]} is not in the store of shards")
            found[digest] = self._cache[digest]
            self._cache.move_to_end(digest)
        self._shrink()
        return found

    def _remember(self, digest: str, array: Array) -> None:
        array.flags.writeable = False
        self._cached_bytes += array.nbytes
        self._cache[digest] = array

    def _shrink(self) -> None:
        while self._cached_bytes > CACHE_BYTES_MAX and len(self._cache) > 1:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes

    def read(self, document: Any) -> Any:
        """What `written` made the document of."""
        wanted: set[str] = set()
        _collect(document, wanted)
        arrays = self.get(wanted)
        return _read(document, arrays.__getitem__)


def written(value: Any, bodies: dict[str, bytes]) -> Any:
    """The value as a JSON document; large arrays go into `bodies` under their digests."""
    if is_dataclass(value) and type(value).__name__ in _KINDS:
        parts = {field.name: written(getattr(value, field.name), bodies) for field in fields(value)}
        return {"kind": type(value).__name__, "fields": parts}
    if isinstance(value, sparse.csr_array):
        columns = [written(np.asarray(column), bodies) for column in (value.data, value.indices, value.indptr)]
        return {"rows_of": columns, "shape": [int(size) for size in value.shape]}
    if isinstance(value, np.ndarray):
        body = _body_of(value)
        if len(body) <= INLINE_BYTES_MAX:
            return {"array": base64.b64encode(body).decode()}
        digest = hashlib.blake2b(body, digest_size=20).hexdigest()
        bodies[digest] = body
        return {"digest": digest}
    if isinstance(value, int | float | str):
        return value
    raise TypeError(f"a shard is told numbers and arrays, not {type(value).__name__}")


def _body_of(array: Array) -> bytes:
    """Whole numbers and marks are mostly zeros and shrink well; money does not, and is left as it is."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    plain = buffer.getvalue()
    return b"f" + plain if array.dtype.kind == "f" else b"z" + zlib.compress(plain, level=1)


def _array_of(body: bytes) -> Array:
    plain = body[1:] if body[:1] == b"f" else zlib.decompress(body[1:])
    return np.lib.format.read_array(io.BytesIO(plain), allow_pickle=False)


def _collect(document: Any, into: set[str]) -> None:
    if isinstance(document, dict):
        if "digest" in document:
            into.add(document["digest"])
        for part in document.values():
            _collect(part, into)
    elif isinstance(document, list):
        for part in document:
            _collect(part, into)


def _read(document: Any, array: Callable[[str], Array]) -> Any:
    if not isinstance(document, dict):
        return document
    if "kind" in document:
        parts = {name: _read(part, array) for name, part in document["fields"].items()}
        return _KINDS[document["kind"]](**parts)
    if "rows_of" in document:
        columns = tuple(_read(part, array) for part in document["rows_of"])
        return sparse.csr_array(columns, shape=tuple(document["shape"]))
    if "digest" in document:
        return array(document["digest"])
    return _array_of(base64.b64decode(document["array"]))
