"""What other programs are sent and may send, in the browser: all of the AsyncAPI document, in words, without a script."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from app.events.schemas import asyncapi
from app.ui.governance.channels_shown import channels_of, kind_words, schemas_of
from tests.app.ui.pages import Browsing

Pages = Callable[[str], Browsing]
PAGE = "/governance/channels"
DOCUMENT = asyncapi()


def test_every_channel_stands_on_the_page_with_its_direction_address_message_and_headers(pages: Pages) -> None:
    page = pages("vera").get(PAGE)
    assert {each.name for each in channels_of(DOCUMENT)} == set(DOCUMENT["channels"])
    ways = {each["channel"]["$ref"].rpartition("/")[2]: each["action"] for each in DOCUMENT["operations"].values()}
    for name, channel in DOCUMENT["channels"].items():
        said = {"send": "Sent by us", "receive": "Taken by us"}[ways[name]]
        assert f"{name.capitalize()} {said} {channel['address'] or ''}".rstrip() in page.text
        for message in channel["messages"].values():
            schema = message["payload"]["$ref"].rpartition("/")[2]
            assert [each.text for each in page.all("a", href=f"#schema-{schema}")]
            assert page.by_id(f"schema-{schema}").text == schema
            assert message["title"] in page.text
            for header in message.get("headers", {}).get("properties", {}):
                assert header in page.text


def objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema and the objects within it."""
    return [each for each in (schema, *schema.get("$defs", {}).values()) if "properties" in each]


def test_every_field_of_every_schema_stands_on_the_page_and_in_its_files(pages: Pages) -> None:
    vera = pages("vera")
    named = [each.text for each in vera.get(PAGE).all("dt")]
    rows = list(csv.reader(io.StringIO(vera.answer(f"{PAGE}/fields.csv").text.removeprefix("\ufeff"))))
    schemas = DOCUMENT["components"]["schemas"]
    expected = [
        (name, field) for name, schema in schemas.items() for each in objects(schema) for field in each["properties"]
    ]
    assert named == [field for _, field in expected]
    assert [(row[0], row[2]) for row in rows[1:]] == expected
    assert len(expected) > 60
    required = [field in each.get("required", ()) for schema in schemas.values() for each in objects(schema)
                for field in each["properties"]]  # fmt: skip
    assert [row[4] == "yes" for row in rows[1:]] == required
    assert not [row for row in rows if "anything" in row[3]], "every field says what it holds"


def test_every_type_of_event_stands_on_the_page_and_nothing_of_it_runs(pages: Pages) -> None:
    page = pages("vera").get(PAGE)
    for each in DOCUMENT["x-event-types"]:
        assert each in page.text
    assert page.foreign == []


def test_the_page_is_for_whoever_is_signed_in_and_settings_lead_to_it(pages: Pages) -> None:
    paula = pages("paula")
    assert paula.get("/governance/settings").all("a", href=PAGE)
    assert paula.get(PAGE).one("h1").text == "Events and signals"
    paula.client.cookies.clear()
    answer = paula.answer(PAGE)
    assert answer.status_code == 303
    assert "/sign-in" in answer.headers["location"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 200}, "text, 1 to 200 characters"),
        ({"type": "string", "format": "date-time"}, "instant"),
        ({"type": "integer", "minimum": 0}, "whole number, at least 0"),
        ({"type": "integer", "maximum": 9}, "whole number, at most 9"),
        ({"const": "1.0"}, "always 1.0"),
        ({"$ref": "#/$defs/Grain"}, "one of day, week"),
        ({"$ref": "#/$defs/Reading"}, "Reading"),
        ({"type": "array", "items": {"$ref": "#/$defs/Reading"}, "minItems": 1, "maxItems": 50_000}, "list of Reading, 1 to 50,000"),
        ({"type": "array", "items": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}],
                                     "minItems": 2, "maxItems": 2}}, "list of list of (text, whole number)"),
        ({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}, "text, at most 9 characters or nothing"),
    ],
)  # fmt: skip
def test_what_a_field_holds_is_told_in_words(field: dict[str, Any], words: str) -> None:
    within = {"Grain": {"enum": ["day", "week"]}, "Reading": {"properties": {}}}
    assert kind_words(field, within) == words


def test_what_lies_within_a_schema_comes_after_it() -> None:
    (stock,) = (each for each in schemas_of(DOCUMENT) if each.name == "evenkeel.stock.v1")
    assert [part.name for part in stock.parts] == ["evenkeel.stock.v1", "StockReading"]
    as_of, readings, note = stock.parts[0].fields
    assert (as_of.required, readings.kind, note.without) == (True, "list of StockReading, 1 to 50,000", "nothing")
