"""The overview."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute

router = APIRouter(route_class=PageRoute)


@router.get("/")
def overview(request: Request, looking: Looking) -> Response:
    """How the network stands."""
    return render(request, "overview.html", {"looking": looking})
