"""Whatever can be read is written and read back the same, and no bytes make the reader crash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from string import ascii_letters, digits

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import FOLDER, NOW, a_folder
from tools.inventory import (
    UNITS_MAX,
    InboundSupply,
    Lane,
    Replenishment,
    SalesObservation,
    Site,
    SiteKind,
    Sku,
    StockPosition,
    SupplyKind,
    Temperature,
)
from tools.network_folder import ForecastRow, ImportFaults, NetworkFolder, read_network, write_network
from tools.network_folder.cells import EARLIEST_ON, LATEST_ON, escaped, unescaped

WEEK = timedelta(days=7)
LATER = datetime(2200, 1, 2, tzinfo=UTC)

ids = st.builds(
    str.__add__, st.sampled_from(ascii_letters + digits), st.text(ascii_letters + digits + "._-", max_size=39)
)
characters = st.one_of(
    st.sampled_from("='+-@＝,;\"\n\r\t ’"), st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f")
)
texts = st.text(characters, max_size=30).map(lambda text: text.strip(" \t\r\n"))
names = texts.filter(bool)
categories = texts.map(lambda text: text.replace(";", "").strip(" \t\r\n"))
units = st.integers(0, UNITS_MAX)
money_e4 = st.integers(0, 10**13)
dates = st.dates(EARLIEST_ON, LATEST_ON)
instants = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - zone given


def optional(values: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | values


@st.composite
def networks(draw: st.DrawFn) -> NetworkFolder:
    site_ids = draw(st.lists(ids, min_size=2, max_size=4, unique=True))
    sku_ids = draw(st.lists(ids, min_size=1, max_size=3, unique=True))
    pairs = st.tuples(st.sampled_from(site_ids), st.sampled_from(sku_ids))
    degrees = st.integers(-90_000_000, 90_000_000)
    sites = [
        Site(
            site_id,
            draw(names),
            draw(st.sampled_from(SiteKind)),
            draw(texts),
            draw(texts),
            draw(texts),
            draw(optional(degrees)),
            draw(optional(degrees)),
            draw(st.sampled_from(("UTC", "Europe/Berlin", "Etc/GMT-3"))),
            draw(optional(st.integers(0, 10**15))),
            draw(optional(units)),
            draw(optional(units)),
        )
        for site_id in site_ids
    ]
    skus = [
        Sku(
            sku_id,
            draw(names),
            draw(money_e4),
            draw(money_e4),
            draw(categories),
            draw(st.integers(0, 10**12)),
            draw(st.integers(0, 10**12)),
            draw(st.integers(1, 10**6)),
            draw(st.integers(1, UNITS_MAX)),
            draw(optional(st.integers(1, 36_500))),
            draw(st.sampled_from(Temperature)),
            draw(st.booleans()),
            draw(st.booleans()),
        )
        for sku_id in sku_ids
    ]
    ways = draw(
        st.lists(st.tuples(st.permutations(site_ids), ids), max_size=3, unique_by=lambda way: (way[0][0], way[1]))
    )
    lanes = [
        Lane(
            way[0],
            way[1],
            mode,
            draw(st.integers(0, 365)),
            draw(money_e4),
            draw(money_e4),
            draw(money_e4),
            draw(st.integers(0, 365_000)),
            draw(optional(st.integers(0, 10**15))),
            tuple(sorted(draw(st.sets(st.integers(1, 7), min_size=1)))),
            tuple(sorted(draw(st.sets(categories.filter(bool), max_size=3)))),
        )
        for way, mode in ways
    ]
    positions = []
    for pair in draw(st.lists(pairs, min_size=1, unique=True)):
        on_hand = draw(units)
        positions.append(StockPosition(*pair, on_hand, draw(st.integers(0, on_hand)), draw(instants)))
    return NetworkFolder(
        currency=draw(st.sampled_from(("EUR", "JPY", "XXX"))),
        sites=tuple(sites),
        skus=tuple(skus),
        lanes=tuple(lanes),
        positions=tuple(positions),
        inbound=tuple(
            InboundSupply(*pair, draw(units), draw(dates), draw(st.sampled_from(SupplyKind)), reference)
            for pair, reference in draw(st.lists(st.tuples(pairs, names), max_size=3, unique=True))
        ),
        sales=tuple(
            SalesObservation(*pair, on, draw(units), draw(st.booleans()))
            for pair, on in draw(st.lists(st.tuples(pairs, dates), min_size=1, max_size=4, unique=True))
        ),
        forecasts=tuple(
            ForecastRow(*pair, on, draw(st.integers(0, 10**15)), draw(optional(st.integers(0, 10**18))))
            for pair, on in draw(st.lists(st.tuples(pairs, dates), max_size=3, unique=True))
        ),
        replenishments=tuple(
            Replenishment(*pair, draw(dates), draw(optional(st.integers(1, 365))))
            for pair in draw(st.lists(pairs, max_size=3, unique=True))
        ),
    )


@settings(max_examples=40, deadline=None)
@given(networks())
def test_what_is_written_is_read_back_as_it_was(network: NetworkFolder):
    written = write_network(network)
    again = read_network(written, LATER, LATER - datetime(1970, 1, 1, tzinfo=UTC))
    assert isinstance(again, NetworkFolder), [str(fault) for fault in again.faults]
    assert again == network
    assert again.digest == network.digest
    assert write_network(again) == written


@given(st.text())
def test_escaping_loses_nothing_and_leaves_no_formula(text: str):
    assert unescaped(escaped(text)) == text
    assert not escaped(text).startswith(("=", "+", "-", "@"))


@given(st.text("'=+-@＝x", max_size=6))
def test_text_of_formula_signs_and_apostrophes_survives_escaping(text: str):
    assert unescaped(escaped(text)) == text


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(FOLDER)),
        st.binary(max_size=200) | st.text(st.sampled_from('",;\n\r\0 1a-=é'), max_size=80).map(str.encode),
        min_size=1,
    )
)
def test_no_bytes_crash_the_reader(hostile: dict[str, bytes]):
    for files in (hostile, a_folder() | hostile):
        assert isinstance(read_network(files, NOW, WEEK), NetworkFolder | ImportFaults)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_folder_with_a_few_bytes_changed_is_read_or_refused(data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(FOLDER)))
    content = bytearray(FOLDER[name].encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from((b"", b'"', b"\xff", b"\n", b",", b"-", b"9", b"'="))
        )
    read = read_network(a_folder() | {name: bytes(content)}, NOW, WEEK)
    if isinstance(read, ImportFaults):
        assert read.faults
        assert all(fault.expected for fault in read.faults)
    else:
        assert read_network(write_network(read), NOW, WEEK) == read
