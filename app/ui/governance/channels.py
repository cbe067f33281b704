"""What is sent and taken over streams and webhooks, for people: the page of the AsyncAPI document."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.events.schemas import asyncapi
from app.ui.exports import Table, downloads
from app.ui.governance.channels_shown import channels_of, schemas_of
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute

router = APIRouter(route_class=PageRoute)


@router.get("/governance/channels")
def channels(request: Request, looking: Looking) -> Response:
    """Channels, messages, and the fields of their schemas, from the document that machines read."""
    document = asyncapi()
    content = {
        "looking": looking, "tab": "settings", "info": document["info"], "channels": channels_of(document),
        "schemas": schemas_of(document), "types": document["x-event-types"],
    }  # fmt: skip
    return render(request, "governance/channels.html", content)


@downloads(router, "/governance/channels/fields")
def fields(looking: Looking) -> Table:
    """Every field of every schema as a file."""
    del looking  # whoever is signed in may know it
    rows = (
        (schema.name, part.name, field.name, field.kind, "yes" if field.required else "no", field.without)
        for schema in schemas_of(asyncapi())
        for part in schema.parts
        for field in part.fields
    )
    return Table("schemas", ("Schema", "Object", "Field", "What it holds", "Required", "Where it is left out"), rows)
