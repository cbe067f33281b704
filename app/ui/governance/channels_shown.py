"""The AsyncAPI document as people read it: channels, their messages, and every field of every schema in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DIRECTIONS = {"send": "sent by us", "receive": "taken by us"}
_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no", "object": "object"}
_FORMATS = {"date-time": "instant", "date": "day", "uuid": "UUID", "uri": "address"}
_LOCAL = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a channel: the schema of its body, and the headers that it has to have."""

    title: str
    media_type: str
    schema: str
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: which way it goes, its address, and what is said on it."""

    name: str
    direction: str
    address: str
    words: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object. `without` is what holds where it is left out; empty where it must not be."""

    name: str
    kind: str
    required: bool
    without: str


@dataclass(frozen=True, slots=True)
class Part:
    """An object of a schema: the schema itself, or one that lies within it."""

    name: str
    words: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with the objects within it, the outermost first."""

    name: str
    parts: tuple[Part, ...]


def channels_of(document: Mapping[str, Any]) -> list[Channel]:
    """The channels of a document."""
    ways = {each["channel"]["$ref"].rpartition("/")[2]: each["action"] for each in document["operations"].values()}
    return [
        Channel(
            name=name,
            direction=_DIRECTIONS[ways[name]],
            address=channel["address"] or "",
            words=channel.get("description", ""),
            messages=tuple(_message(each) for each in channel["messages"].values()),
        )
        for name, channel in document["channels"].items()
    ]


def schemas_of(document: Mapping[str, Any]) -> list[Schema]:
    """The schemas of a document, each with its fields."""
    return [Schema(name, tuple(_parts(name, schema))) for name, schema in document["components"]["schemas"].items()]


def _message(message: Mapping[str, Any]) -> Message:
    headers = message.get("headers", {}).get("properties", {})
    schema = message["payload"]["$ref"].removeprefix(_LOCAL)
    return Message(message["title"], message["contentType"], schema, tuple(headers))


def _parts(name: str, schema: Mapping[str, Any]) -> Iterator[Part]:
    within = schema.get("$defs", {})
    for title, each in ((name, schema), *within.items()):
        if "properties" in each:
            required = each.get("required", ())
            fields = (
                Field(
                    field,
                    kind_words(described, within),
                    field in required,
                    _without(described, required=field in required),
                )
                for field, described in each["properties"].items()
            )
            yield Part(title, " ".join(each.get("description", "").split()), tuple(fields))


def _without(field: Mapping[str, Any], *, required: bool) -> str:
    if required:
        return ""
    default = field.get("default")
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "nothing" if default in (None, "") else str(default)


def kind_words(field: Mapping[str, Any], within: Mapping[str, Any]) -> str:
    """What a field holds, in words; `within` are the definitions that it may refer to."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        found = within.get(name, {})
        return kind_words(found, within) if "enum" in found else name
    if "const" in field:
        return f"always {field['const']}"
    if "enum" in field:
        return f"one of {', '.join(map(str, field['enum']))}"
    if "anyOf" in field:
        kinds = [kind_words(each, within) for each in field["anyOf"] if each.get("type") != "null"]
        nothing = ["nothing"] if any(each.get("type") == "null" for each in field["anyOf"]) else []
        return " or ".join([*kinds, *nothing])
    if field.get("type") == "array":
        return f"list of {_items(field, within)}{_bounds(field, 'Items')}"
    kind = _FORMATS.get(field.get("format", "")) or _KINDS.get(field.get("type", ""), "anything")
    return f"{kind}{_bounds(field, 'Length', ' characters')}{_bounds(field, 'imum')}"


def _items(field: Mapping[str, Any], within: Mapping[str, Any]) -> str:
    """What stands in a list; for one of several things in a fixed order, in brackets."""
    if "prefixItems" in field:
        return f"({', '.join(kind_words(each, within) for each in field['prefixItems'])})"
    return kind_words(field.get("items", {}), within)


def _bounds(field: Mapping[str, Any], of: str, unit: str = "") -> str:
    least, most = field.get(f"min{of}"), field.get(f"max{of}")
    if "prefixItems" in field or (least is None and most is None):
        return ""
    if most is None:
        return f", at least {least:,}{unit}"
    return f", at most {most:,}{unit}" if least is None else f", {least:,} to {most:,}{unit}"
