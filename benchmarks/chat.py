"""A turn of a conversation through the whole service, against the bare graph with a checkpointer in memory.

The baseline answers, on a generated network, a question that solves nothing. Both ways
do the same work in the same world; what is compared is what the service adds: HTTP, the
queue, the lock, checkpoints in PostgreSQL, and the news for whoever watches.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from uuid import UUID, uuid4

import httpx2
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import text

from app.auth.people import issue_token
from app.auth.roles import Principal, Role
from app.service import Service, running
from app.threads.driver import _config, _first_input
from app.threads.tables import RunKind
from benchmarks.opened import listening, opened
from benchmarks.table import print_table
from graphs.rebalance import build_graph
from tools.generate import generate_network
from tools.network_folder import NetworkFolder

SITES, SKUS, SEED = 8, 2_000, 7
TURNS = 30
TURNS_OF_A_THREAD = 10
CHATS = 50
QUESTION = "Where are we short?"
SMALL_TALK = "What can you do?"
"""It asks no tool, so that nothing hides what the service adds."""
PLANNER = Principal("bench", "Bench", frozenset({Role.PLANNER}), sites=None, sees_sensitive=True)
_STORED = text("""
    select coalesce(sum(octets), 0) from (
        select sum(pg_column_size(c.*)) as octets from checkpoints c where thread_id = :thread
        union all select sum(pg_column_size(b.*)) from checkpoint_blobs b where thread_id = :thread
        union all select sum(pg_column_size(w.*)) from checkpoint_writes w where thread_id = :thread) parts
""")


@dataclass(frozen=True)
class Heard:
    """When a client heard what, in seconds after it spoke."""

    first: float
    first_step: float
    end: float
    status: str


@dataclass(frozen=True)
class Client:
    """Whoever asks, in a process of its own, as everywhere outside of a benchmark."""

    process: ProcessPoolExecutor
    address: str
    token: str

    def ask(self, thread_id: str, words: str) -> Heard:
        """One question, heard to its end."""
        return self.process.submit(_ask, self.address, self.token, thread_id, words).result()

    def ask_together(self, many: int) -> list[Heard]:
        """So many questions at once, each in a conversation of its own."""
        return self.process.submit(_ask_together, self.address, self.token, many).result()


def run() -> None:
    """All figures of a chat turn, and the goal of each."""
    with (
        opened(_network(), PLANNER) as service, running(service), listening(service) as address,
        ProcessPoolExecutor(1, get_context("spawn")) as elsewhere,
    ):  # fmt: skip
        client = Client(elsewhere, address, _token(service))
        _side_by_side(service, client, QUESTION, 2)  # what is only made once is made now
        direct, heard = _side_by_side(service, client, QUESTION, TURNS)
        little, said = _side_by_side(service, client, SMALL_TALK, TURNS)
        thread = str(uuid4())
        for _ in range(TURNS_OF_A_THREAD):
            client.ask(thread, QUESTION)
        octets = _stored(service, thread) / TURNS_OF_A_THREAD
        began = time.perf_counter()
        crowd = client.ask_together(CHATS)
        elapsed = time.perf_counter() - began
    ours, bare = statistics.median(each.end for each in heard), statistics.median(direct)
    added = statistics.median(each.end for each in said) - statistics.median(little)
    ends = sorted(each.end for each in crowd)
    bad = sum(each.status != "success" for each in crowd)
    rows = [
        ("bare graph, checkpointer in memory, median", f"{bare * 1000:,.0f} ms", ""),
        ("turn through the service, median", f"{ours * 1000:,.0f} ms", ""),
        ("the one by the other", f"{ours / bare:.2f}", "≤ 2"),
        ("added to a turn that asks no tool, median", f"{added * 1000:,.0f} ms", ""),
        ("first event, median", f"{statistics.median(e.first for e in heard) * 1000:,.0f} ms", "≤ 100 ms"),
        ("first step of the run, median", f"{statistics.median(e.first_step for e in heard) * 1000:,.0f} ms", ""),
        (f"checkpoints a turn, thread of {TURNS_OF_A_THREAD}", f"{octets / 1024:,.1f} KB", "≤ 20 KB"),
        (f"{CHATS} chats at once: errors", f"{bad}", "0"),
        (f"{CHATS} chats at once: median", f"{statistics.median(ends):,.2f} s", ""),
        (f"{CHATS} chats at once: 95 %", f"{ends[int(len(ends) * 0.95)]:,.2f} s", ""),
        (f"{CHATS} chats at once: turns a second", f"{len(ends) / elapsed:,.1f}", ""),
    ]
    print_table(f"A chat turn: baseline, {SITES} sites, {SKUS:,} SKUs, nothing solved", ("", "measured", "goal"), rows)


def _network() -> NetworkFolder:
    return generate_network(SITES, SKUS, SEED, datetime.now(UTC))


def _token(service: Service) -> str:
    with service.database.transaction() as session:
        return issue_token(session, PLANNER.user_id, 1)


def _side_by_side(service: Service, client: Client, words: str, turns: int) -> tuple[list[float], list[Heard]]:
    """Turns both ways, one after the other, so that whatever else the machine does hits both."""
    direct, heard = [], []
    for _ in range(turns):
        direct.append(_direct(service, words))
        heard.append(client.ask(str(uuid4()), words))
    return direct, heard


def _direct(service: Service, words: str) -> float:
    """Seconds that the bare graph takes for the same question, in the same world."""
    graph, run_id, thread_id = build_graph(InMemorySaver()), uuid4(), uuid4()
    context = service.driver._context(thread_id, run_id, PLANNER)  # noqa: SLF001  the world that a run would have
    began = time.perf_counter()
    graph.invoke(_first_input(RunKind.MESSAGE, {"text": words}, run_id), _config(thread_id), context=context)
    return time.perf_counter() - began


def _ask(address: str, token: str, thread_id: str, words: str) -> Heard:
    return asyncio.run(_turn(address, token, thread_id, words))


def _ask_together(address: str, token: str, many: int) -> list[Heard]:
    async def all_of_them() -> list[Heard]:
        return list(await asyncio.gather(*(_turn(address, token, str(uuid4()), QUESTION) for _ in range(many))))

    return asyncio.run(all_of_them())


async def _turn(address: str, token: str, thread_id: str, words: str) -> Heard:
    """One question over HTTP, as a client of the LangGraph dialect puts it, heard to its end."""
    headers = {"Authorization": f"Bearer {token}"}
    body = {
        "assistant_id": "rebalance", "input": {"messages": [{"role": "user", "content": words}]},
        "stream_mode": ["updates"], "if_not_exists": "create",
    }  # fmt: skip
    first = first_step = end = 0.0
    status, name = "error", ""
    async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=300) as client:
        began = time.perf_counter()
        async with client.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as answer:
            if answer.status_code != httpx2.codes.OK:
                raise RuntimeError(f"the turn was refused: {await answer.aread()!r}")
            async for line in answer.aiter_lines():
                now = time.perf_counter() - began
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                    first = first or now
                    if name != "metadata":
                        first_step = first_step or now
                if name == "end" and line.startswith("data: "):
                    end, status = now, "success" if '"success"' in line else line
    return Heard(first, first_step, end, status)


def _stored(service: Service, thread_id: str) -> float:
    with service.database.engine.connect() as connection:
        return float(connection.execute(_STORED, {"thread": str(UUID(thread_id))}).scalar_one())
