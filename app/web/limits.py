"""Bounds on what comes in over HTTP."""

from __future__ import annotations

from fastapi import HTTPException  # its own kind: FastAPI takes any other for a body that cannot be parsed
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 16 * 1024 * 1024


class BodyLimit:
    """Refuses a body beyond the limit while it arrives, whatever its headers promise."""

    def __init__(self, app: ASGIApp, upload_path: str, upload_bytes_max: int) -> None:
        self._app = app
        self._upload_path = upload_path
        self._upload_bytes_max = upload_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes of a request's body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload_bytes_max if scope["path"] == self._upload_path else BODY_BYTES_MAX
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, f"the body has more than {limit:,} bytes")
            return message

        await self._app(scope, counted, send)
