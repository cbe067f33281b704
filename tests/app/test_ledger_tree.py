"""The order over all events: nothing slips in below a position that was given, and checkpoints are kept outside."""

from __future__ import annotations

import base64
import json
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel import Session, select

from app.db.database import Database
from app.errors import InvalidError, NotFoundError, SetUpError
from app.ledger.append import EventType, append
from app.ledger.checkpoints import (
    ForkedError,
    Made,
    last_anchored,
    make_checkpoint,
    newest_checkpoint,
    prove_event,
    prove_growth,
    read_checkpoints,
)
from app.ledger.export import export_ledger
from app.ledger.keys import master_key, signer
from app.ledger.notes import FIRST, Checkpoint, Signer, VerifierKey, notes_in
from app.ledger.tables import LeafRow, LedgerEvent
from app.ledger.tree import place, root_at
from app.ledger.verify import verify
from app.settings import Settings
from evals.databases import Servers
from tests.signals import a_database
from tools.merkle import is_consistent, is_included, leaf_hash

SIGNER = Signer(bytes(range(32)))
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(servers: Servers) -> Iterator[Database]:
    """An empty ledger."""
    with a_database(servers) as opened:
        yield opened


def put(session: Session, stream: str, number: int) -> None:
    append(
        session, stream=stream, key=f"{stream}/{number}", event_type=EventType.STOCK_COUNTED, actor="test",
        facts={"number": number, "words": "“größer”"},
    )  # fmt: skip


def write(database: Database, events: int, stream: str = "test/a", first: int = 0) -> None:
    with database.transaction() as session:
        for number in range(first, first + events):
            put(session, stream, number)


def checkpointed(database: Database, path: Path) -> Made:
    made = make_checkpoint(database, SIGNER, path)
    assert made is not None
    return made


def order(database: Database) -> list[tuple[int, str, int]]:
    with database.transaction() as session:
        return [(row.position, row.stream, row.seq) for row in session.exec(select(LeafRow).order_by("position")).all()]


def test_an_event_that_commits_late_comes_behind_what_was_placed_before(ledger: Database, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    write(ledger, 1, "test/first")
    with ledger.transaction() as slow:
        put(slow, "test/slow", 0)
        write(ledger, 2, "test/quick")
        before = checkpointed(ledger, path)
        assert (before.size, [stream for _, stream, _ in order(ledger)]) == (
            3,
            ["test/first", "test/quick", "test/quick"],
        )
    after = checkpointed(ledger, path)
    assert order(ledger)[3] == (3, "test/slow", 1)
    older, newer = read_checkpoints(path, SIGNER.verifier)
    with ledger.transaction() as session:
        assert is_consistent(older.size, older.root, newer.size, newer.root, prove_growth(session, 3, 4))
    assert (after.size, verify(ledger, [older, newer]).problems) == (4, ())


def test_what_is_rolled_back_leaves_no_gap(ledger: Database) -> None:
    write(ledger, 1)
    with pytest.raises(RuntimeError), ledger.transaction() as session:
        put(session, "test/a", 7)
        raise RuntimeError("the rest failed")
    write(ledger, 1, first=1)
    with ledger.transaction() as session:
        assert place(session) == 2
    assert order(ledger) == [(0, "test/a", 1), (1, "test/a", 2)]


def test_placers_and_appenders_at_once_give_every_event_one_place_and_keep_each_stream_in_order(
    ledger: Database,
) -> None:
    def append_some(name: int) -> None:
        for number in range(12):
            with ledger.transaction() as session:
                put(session, f"test/{name}", number)
                put(session, f"test/{number % 3}", 1_000 + 100 * name + number)

    def place_often() -> None:
        for _ in range(8):
            with ledger.transaction() as session:
                place(session)

    threads = [threading.Thread(target=append_some, args=(name,)) for name in range(3, 6)]
    threads += [threading.Thread(target=place_often) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.transaction() as session:
        assert place(session) == 72
    placed = order(ledger)
    assert [position for position, _, _ in placed] == list(range(72))
    last: dict[str, int] = {}
    for _, stream, seq in placed:
        assert seq == last.get(stream, 0) + 1
        last[stream] = seq
    assert verify(ledger).problems == ()


def test_a_large_ledger_is_proved_from_few_leaves(ledger: Database, tmp_path: Path) -> None:
    with ledger.transaction() as session:
        session.connection().execute(text(r"""
            select ledger_append('test/' || n % 7, 'k' || n, convert_to('{"actor":"a","at":"2026-11-26T12:00:00+00:00",'
              || '"facts":{},"key":"k' || n || '","moves":[],"stream":"test/' || n % 7 || '","type":"stock_counted"}', 'UTF8'))
            from generate_series(1, 700) n"""))  # fmt: skip
    path = tmp_path / "checkpoints"
    checkpointed(ledger, path)
    write(ledger, 3, "test/8")
    checkpointed(ledger, path)
    older, newer = read_checkpoints(path, SIGNER.verifier)
    with ledger.transaction() as session:
        assert root_at(session, 700) == older.root
        for leaf in session.exec(select(LeafRow).where(LeafRow.position.in_([0, 1, 255, 256, 600, 699, 702]))).all():  # type: ignore[attr-defined]
            proof = prove_event(session, leaf.stream, leaf.seq)
            assert is_included(leaf_hash(proof.event_hash), leaf.position, 703, proof.nodes, newer.root)
            assert proof.note == newest_checkpoint(session).note
        assert is_consistent(700, older.root, 703, newer.root, prove_growth(session, 700, 703))
        with pytest.raises(NotFoundError, match="no checkpoint covers"):
            prove_event(session, "test/8", 4)
        with pytest.raises(InvalidError, match="no checkpoint covers"):
            prove_growth(session, 1, 704)
        with pytest.raises(InvalidError, match="does not begin"):
            prove_growth(session, 5, 4)
    assert verify(ledger, [older, newer]).anchored == 703


def test_a_checkpoint_is_made_once_and_names_the_one_before(ledger: Database, tmp_path: Path) -> None:
    path = tmp_path / "far" / "checkpoints"
    assert make_checkpoint(ledger, SIGNER, path) is None
    assert not path.exists()
    write(ledger, 2)
    first, again = checkpointed(ledger, path), checkpointed(ledger, path)
    assert (first.new, again.new, first.note) == (True, False, again.note)
    write(ledger, 1, first=2)
    checkpointed(ledger, path)
    older, newer = read_checkpoints(path, SIGNER.verifier)
    assert (older.size, newer.size, older.previous, newer.previous) == (2, 3, FIRST, older.digest)


def test_what_a_crash_kept_from_the_file_is_made_up_for(ledger: Database, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    write(ledger, 1)
    whole = checkpointed(ledger, path)
    write(ledger, 1, first=1)
    checkpointed(ledger, tmp_path / "elsewhere")  # as if the process had died between the database and this file
    path.write_text(path.read_text(encoding="utf-8") + "evenkeel.ledger\n2\nhalf a ro", encoding="utf-8")
    write(ledger, 1, first=2)
    checkpointed(ledger, path)
    assert [each.size for each in read_checkpoints(path, SIGNER.verifier)] == [1, 2, 3]
    assert path.read_text(encoding="utf-8").startswith(whole.note)


@pytest.mark.parametrize(
    "change", ["delete from ledger_leaf where position = 2", "update ledger_leaf set event_hash = '\\x00'"]
)
def test_no_checkpoint_is_made_of_a_ledger_that_does_not_follow_from_what_is_anchored(
    ledger: Database, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "checkpoints"
    write(ledger, 3)
    checkpointed(ledger, path)
    with ledger.transaction() as session:
        session.connection().execute(text("set local session_replication_role = replica"))
        session.connection().execute(text(change))
    with pytest.raises(ForkedError, match="no longer begins"):
        make_checkpoint(ledger, SIGNER, path)
    assert last_anchored(path, SIGNER.verifier) is not None


@pytest.mark.parametrize("table", ["ledger_leaf", "ledger_checkpoint"])
@pytest.mark.parametrize("change", ["update {} set {} = {} + 1", "delete from {}", "truncate {}"])
def test_the_database_refuses_to_change_places_and_checkpoints(ledger: Database, table: str, change: str) -> None:
    column = {"ledger_leaf": "position", "ledger_checkpoint": "size"}[table]
    with pytest.raises(Exception, match="append-only"), ledger.transaction() as session:
        session.connection().execute(text(change.format(table, column, column)))


def test_a_note_says_what_was_signed_and_nothing_else_is_believed() -> None:
    checkpoint = Checkpoint(12, bytes(32), datetime(2026, 11, 26, 12, tzinfo=UTC), FIRST)
    note, key = SIGNER.note(checkpoint), SIGNER.verifier
    assert key.opened(note) == checkpoint
    assert VerifierKey.parsed(f" {key}\n").opened(note) == checkpoint
    assert list(notes_in(f"torn\n{note}\n{note}")) == [note, note]
    for changed in (note.replace("12\n", "13\n", 1), note.replace("2026", "2027"), note.replace("— ", "- ")):
        with pytest.raises(InvalidError, match="not signed"):
            key.opened(changed)
    with pytest.raises(InvalidError, match="not signed"):
        Signer(bytes(32)).verifier.opened(note)
    for nonsense in ("", "evenkeel.ledger+00000000+AAAA", str(key)[:-4], f"{key}=", "a+b+c"):
        with pytest.raises(InvalidError, match="verifier key"):
            VerifierKey.parsed(nonsense)


def test_a_signed_text_that_is_no_checkpoint_is_refused() -> None:
    text_of_it = "evenkeel.ledger\n01\nAAAA\nmade yesterday\nprevious -\n"
    signature = SIGNER._private.sign(text_of_it.encode())
    with pytest.raises(InvalidError, match="no checkpoint"):
        SIGNER.verifier.opened(f"{text_of_it}\n{SIGNER.verifier.signature_line(signature)}")


def test_a_file_without_checkpoints_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("nothing\n", encoding="utf-8")
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    for name in ("empty", "odd", "missing"):
        with pytest.raises(InvalidError, match="checkpoint"):
            read_checkpoints(tmp_path / name, SIGNER.verifier)


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    first = str(signer(settings).verifier)
    assert str(signer(settings).verifier) == first
    assert master_key(settings) == master_key(settings) != bytes(32)
    for name in ("signing.key", "master.key"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600
    given = Settings(data=tmp_path, signing_key=SecretStr(base64.b64encode(bytes(range(32))).decode()))
    assert str(signer(given).verifier) == str(SIGNER.verifier)


@pytest.mark.parametrize("spoiled", ["open", "short", "odd"])
def test_a_key_that_others_can_read_or_that_makes_no_sense_is_refused(tmp_path: Path, spoiled: str) -> None:
    settings = Settings(data=tmp_path)
    signer(settings)
    path = tmp_path / "signing.key"
    if spoiled == "open":
        path.chmod(0o644)
    else:
        path.write_text({"short": "AAAA", "odd": "ä"}[spoiled], encoding="utf-8")
    with pytest.raises(SetUpError, match="key"):
        signer(settings)


def test_an_export_is_checked_by_the_procedure_in_the_documentation(ledger: Database, tmp_path: Path) -> None:
    page = (ROOT / "docs/ledger_export.md").read_text(encoding="utf-8")
    (procedure,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    script, export = tmp_path / "check.py", tmp_path / "ledger.jsonl"
    script.write_text(procedure, encoding="utf-8")
    for number in range(150):
        write(ledger, 2, f"test/{number % 5}", first=2 * number)
    checkpointed(ledger, tmp_path / "checkpoints")
    write(ledger, 1, "test/later")
    with ledger.transaction() as session, export.open("w", encoding="utf-8") as out:
        done = export_ledger(session, SIGNER.verifier, out)
    assert done.events == 300

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run((sys.executable, "-I", "-S", script, export), capture_output=True, text=True, check=False)

    said = check()
    assert (said.returncode, said.stdout) == (0, "300 events in 5 streams fit the checkpoint of evenkeel.ledger\n"), (
        said
    )
    lines = export.read_text(encoding="utf-8").splitlines()
    assert SIGNER.verifier.opened(json.loads(lines[0])["checkpoint"]).size == 300
    for change in (
        [*lines[:150], lines[150].replace('\\"actor\\":\\"test\\"', '\\"actor\\":\\"eve\\"'), *lines[151:]],
        lines[:-1],
        [*lines[:100], *lines[101:]],
        [*lines[:100], lines[101], lines[100], *lines[102:]],
    ):
        export.write_text("\n".join(change) + "\n", encoding="utf-8")
        assert check().returncode != 0


def test_positions_of_a_ledger_from_before_keep_every_stream_in_order(ledger: Database) -> None:
    write(ledger, 3, "test/b")
    write(ledger, 2, "test/a")
    backfill = (
        (ROOT / "app/db/migrations/0007_ledger.sql").read_text(encoding="utf-8").split("-- Events from before")[1]
    )
    with ledger.transaction() as session:
        session.connection().execute(text("delete from ledger_unplaced"))
        session.connection().execute(text("-- Events from before" + backfill))
        assert place(session) == 5
        hashes = {(row.stream, row.seq): row.hash for row in session.exec(select(LedgerEvent)).all()}
        assert {(row.stream, row.seq): row.event_hash for row in session.exec(select(LeafRow)).all()} == hashes
    assert [(stream, seq) for _, stream, seq in order(ledger)] == [
        ("test/b", 1), ("test/b", 2), ("test/b", 3), ("test/a", 1), ("test/a", 2),
    ]  # fmt: skip
