"""The web server: on a signal the runs of its process are brought to their next edge at once, while it still answers."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from types import FrameType, MappingProxyType

import uvicorn

from app.service import Service
from app.ui.rendering import compile_templates
from app.web.main import create_app

ANSWERING_SECONDS_MAX = 5
"""So long after a signal requests may take to their end."""


class Server(uvicorn.Server):
    """Serves one service until a signal ends it."""

    def __init__(self, service: Service, demo_people: Mapping[str, tuple[str, str]] = MappingProxyType({})) -> None:
        self._service = service
        super().__init__(
            uvicorn.Config(
                create_app(service, demo_people), log_level="warning", timeout_graceful_shutdown=ANSWERING_SECONDS_MAX,
                proxy_headers=False,
            )
        )  # fmt: skip
        compile_templates()
        gc.freeze()  # what is loaded by now lives as long as the process: no collection has to look at it again

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin no other run, stop those that run, and answer who is still waiting."""
        self._service.drain.begin()
        super().handle_exit(sig, frame)
