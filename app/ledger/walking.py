"""The verifier over plain rows: everything that follows from the events alone. It reads no database and trusts no stored hash.

The events come in their order over all streams. One walk checks every chain, every
leaf of the tree, the roots that were anchored, the columns beside each body, and the
stock moves that were booked; it leaves behind the heads and balances that must be.

Rows that fit are taken many at a time; the first thing that does not fit leaves all of
them to a walk row by row, which alone says what is wrong. Both ask the same questions.
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import SchemaValidator, core_schema, from_json

from app.ledger.append import EVENT_SCHEMA
from app.ledger.notes import Checkpoint
from tools.merkle import Frontier

START = bytes(32)
_NO_HEAD = (0, START)
_SEQUENCE = struct.Struct(">q")
_check_document = SchemaValidator(core_schema.typed_dict_schema({})).validate_json
"""Reads a body to its end and refuses what is no JSON object, as `from_json` does, and builds nothing of it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit, with a stable code and the place."""

    code: str
    where: str
    words: str


Booked = tuple[int, str, str, str, int]
"""A stock move as it stands in its own table: the rank of its event, SKU, from, to, units."""


class EventRow(NamedTuple):
    """An event as it is stored, ranked by its position. Its columns are None where only its position is left."""

    rank: int
    stream: str
    seq: int
    event_hash: bytes | None
    key: str | None
    type: str | None
    body: bytes | None
    prev: bytes | None
    hash: bytes | None


def event_hash(prev: bytes, seq: int, body: bytes) -> bytes:
    """The hash that binds an event to its predecessor; the database computes the same."""
    return hashlib.sha256(b"\0" + prev + _SEQUENCE.pack(seq) + body).digest()


class Walk:
    """What was seen so far. `problems` grows while rows are taken."""

    def __init__(self, checkpoints: Iterable[Checkpoint] = ()) -> None:
        self.events = 0
        self.moves = 0
        self.problems: list[Problem] = []
        self.balances: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.heads: dict[str, tuple[int, bytes]] = {}
        self._tree = Frontier()
        self._anchored_to = 0
        self._anchors: dict[int, list[Checkpoint]] = defaultdict(list)
        for checkpoint in checkpoints:
            self._anchors[checkpoint.size].append(checkpoint)

    def take(self, rows: Sequence[EventRow], booked: Sequence[Booked], *, placed: bool = True) -> None:
        """Walk on over rows in their order, with the stock moves of these events in the same order.

        Rows that have no place in the order over all streams yet come last; their rank is any number.
        """
        if rows and not self._take_fitting(rows, booked, placed=placed):
            self._take_each(rows, booked, placed=placed)

    def _take_fitting(self, rows: Sequence[EventRow], booked: Sequence[Booked], *, placed: bool) -> bool:
        """Take rows in which everything fits. Returns False, and has changed nothing, where each has to be looked at."""
        try:
            fitting = self._fitting(rows, booked, placed=placed)
        except (ValueError, KeyError, TypeError):
            return False
        if fitting is None:
            return False
        heads, leaves = fitting
        self.events += len(rows)
        self.moves += len(booked)
        self.heads.update(heads)
        balances = self.balances
        for _, sku, from_place, to_place, units in booked:
            balances[from_place, sku] -= units
            balances[to_place, sku] += units
        if placed:
            self._grow(leaves)
        return True

    def _fitting(
        self, rows: Sequence[tuple[Any, ...]], booked: Sequence[Booked], *, placed: bool
    ) -> tuple[dict[str, tuple[int, bytes]], list[bytes]] | None:
        """The heads and leaves that these rows leave behind, or None where something does not fit. May raise as `_stated`.

        A body is a JSON object with its keys in order, so what stands beside it is compared with its end, as bytes. In a
        document that is well-formed to its last brace, such an end holds members of the outermost object and the last
        ones of their names: what whoever reads the document is given. What is written another way is read, then compared.
        """
        known, sha256, pack = self.heads, hashlib.sha256, _SEQUENCE.pack
        heads: dict[str, tuple[int, bytes]] = {}
        leaves: list[bytes] = []
        written = [f'["{sku}","{from_place}","{to_place}",{units}]' for _, sku, from_place, to_place, units in booked]
        texts = ("".join([row[column] for row in rows]) for column in (1, 4, 5))
        plain = _is_plain("".join(texts)) and _is_plain("".join(written), quotes=6 * len(booked))
        ranks = [*(move[0] for move in booked), None]
        at = 0
        for position, row in enumerate(rows, self._tree.size):
            rank, stream, seq, leaf, key, kind, body, prev, stored = row
            computed = sha256(b"\0" + prev + pack(seq) + body).digest()
            if computed != stored or (placed and (leaf != stored or rank != position)):
                return None
            if (heads.get(stream) or known.get(stream, _NO_HEAD)) != (seq - 1, prev):
                return None
            heads[stream] = (seq, stored)
            first = at
            while ranks[at] == rank:
                at += 1
            moves = written[first] if at == first + 1 else ",".join(written[first:at])
            end = f',"key":"{key}","moves":[{moves}],"schema":"{EVENT_SCHEMA}","stream":"{stream}","type":"{kind}"}}'
            if plain and body.endswith(end.encode()):
                _check_document(body)
            elif not _says(rank, body, (stream, key, kind), booked[first:at]):
                return None
            leaves.append(sha256(b"\0" + computed).digest())
        return (heads, leaves) if at == len(booked) else None

    def _grow(self, leaves: Sequence[bytes]) -> None:
        start, done = self._tree.size, 0
        for size in sorted(size for size in self._anchors if start < size <= start + len(leaves)):
            self._tree.extend(leaves[done : size - start])
            self._compare(self._anchors.pop(size))
            done = size - start
        self._tree.extend(leaves[done:])

    def _take_each(self, rows: Iterable[EventRow], booked: Sequence[Booked], *, placed: bool) -> None:
        heads, add, at = self.heads, self._tree.add, 0
        sha256, pack, anchors = hashlib.sha256, _SEQUENCE.pack, self._anchors
        for row in rows:
            rank, stream, seq, leaf, _, _, body, prev, stored = row
            first = at
            while at < len(booked) and booked[at][0] == rank:
                at += 1
            if body is None or prev is None or stored is None:
                self._missing(row, placed=placed)
                continue
            self.events += 1
            before = heads.get(stream, _NO_HEAD)
            computed = sha256(b"\0" + prev + pack(seq) + body).digest()
            if (seq - 1, prev) != before or computed != stored:
                self._broken(row, before, computed)
            heads[stream] = (seq, stored)
            self._content(row, booked[first:at])
            if not placed:
                continue
            if rank != self._tree.size:
                self._note(row, "position", f"position {self._tree.size:,} is missing, this is {rank:,}")
            if leaf != stored:
                self._note(row, "leaf", "the event is not the one that was given this position")
            add(sha256(b"\0" + computed).digest())
            if self._tree.size in anchors:
                self._compare(anchors.pop(self._tree.size))

    def finish(
        self, stored_heads: Mapping[str, tuple[int, bytes]], stored_balances: Mapping[tuple[str, str], int]
    ) -> None:
        """Compare what must be with what is stored, once every row was taken."""
        for size in sorted(self._anchors):
            words = f"{size:,} events were anchored, and the ledger has {self._tree.size:,} in order"
            self.problems.append(Problem("truncated", f"checkpoint {size}", words))
        for stream in sorted(self.heads.keys() | stored_heads.keys()):
            seq, last = self.heads.get(stream, (0, START))
            if stream not in stored_heads:
                self.problems.append(Problem("head_missing", stream, "the stream has events and no head"))
            elif stored_heads[stream] != (seq, last):
                words = f"the head stands at event {stored_heads[stream][0]}, the last event is {seq}"
                self.problems.append(Problem("head", stream, words))
        for place, sku in sorted(stored_balances.keys() | {key for key, units in self.balances.items() if units}):
            stored, expected = stored_balances.get((place, sku), 0), self.balances.get((place, sku), 0)
            if stored != expected:
                words = f"{sku} at {place}: stored {stored:,}, recomputed {expected:,}"
                self.problems.append(Problem("balance", place, words))

    def _note(self, row: EventRow, code: str, words: str) -> None:
        self.problems.append(Problem(code, f"{row[1]}#{row[2]}", words))

    def _broken(self, row: EventRow, before: tuple[int, bytes], computed: bytes) -> None:
        if row[2] != before[0] + 1:
            self._note(row, "sequence", f"event {before[0] + 1} is missing or out of place")
        if row[7] != before[1]:
            self._note(row, "previous_hash", "the event does not follow from the one before it")
        if computed != row[8]:
            self._note(row, "hash", "the event's content is not what was recorded")

    def _missing(self, row: EventRow, *, placed: bool) -> None:
        self._note(row, "missing", "the event had its place in the order and is gone")
        if placed:
            self._tree.add(hashlib.sha256(b"\0" + (row[3] or b"")).digest())
            self._compare(self._anchors.pop(self._tree.size, []))

    def _compare(self, checkpoints: Iterable[Checkpoint]) -> None:
        for checkpoint in checkpoints:
            if checkpoint.root != self._tree.root:
                words = (
                    f"the first {checkpoint.size:,} events are not those that were anchored on"
                    f" {checkpoint.made_at.isoformat()}; the last root that fits is at {self._anchored_to:,}"
                )
                self.problems.append(Problem("checkpoint", f"checkpoint {checkpoint.size}", words))
            else:
                self._anchored_to = checkpoint.size

    def _content(self, row: EventRow, booked: Sequence[Booked]) -> None:
        """The columns beside the body say what the body says, and its moves are the ones that were booked."""
        rank, stream, _, _, key, kind, body, _, _ = row
        try:
            stated, moves = _stated(rank, body or b"")
            for _, sku, from_place, to_place, units in moves:
                self.balances[from_place, sku] -= units
                self.balances[to_place, sku] += units
        except (ValueError, KeyError, TypeError):
            self._note(row, "body", "the body is not an event")
            return
        self.moves += len(moves)
        if stated != (stream, key, kind):
            self._note(row, "columns", "stream, key or type beside the body differ from the body")
        if moves != booked:
            self._note(row, "stock_move", "the stock moves booked are not those of the event")


def _stated(rank: int, body: bytes) -> tuple[tuple[Any, Any, Any], list[Any]]:
    """What a body says: stream, key and type; and its moves. Raises ValueError, KeyError or TypeError."""
    document: Any = from_json(body)
    stated = (document["stream"], document["key"], document["type"])
    return stated, [(rank, *move) for move in document["moves"]]


def _is_plain(text: str, quotes: int = 0) -> bool:
    """Whether JSON writes these texts as they are: they hold no backslash, and no more quotes than are known of."""
    return "\\" not in text and text.count('"') == quotes


def _says(rank: int, body: bytes, beside: tuple[str, str, str], booked: Sequence[Booked]) -> bool:
    """Whether the body, read, says this. Units that only equal a whole number, like 3.0, are left to a closer look."""
    stated, moves = _stated(rank, body)
    return stated == beside and moves == list(booked) and all(type(move[4]) is int for move in moves)
