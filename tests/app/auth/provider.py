"""A small OpenID provider that speaks real HTTP: discovery, keys, authorisation code with PKCE, and identity tokens.

What it is told to do wrong it does wrong, in one answer or in all.
"""

from __future__ import annotations

import hashlib
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.app.auth.signing import SigningKey, claims_of, signing_key
from tests.installation import until

CLIENT, SECRET = "evenkeel-web", "a secret of the client"


@dataclass
class Provider:
    """Who is logged in there, what it says of them, and what was asked of it."""

    address: str = ""
    user: str = "sub-ada"
    says: dict[str, Any] = field(default_factory=dict)
    """Claims beside the usual ones; None leaves one out."""
    key: SigningKey = field(default_factory=lambda: signing_key("oidc-1"))
    calls_itself: str | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked_for_tokens: list[dict[str, str]] = field(default_factory=list)

    def discovery(self, _: Request) -> Response:
        """What it says of itself."""
        return JSONResponse(
            {
                "issuer": self.calls_itself or self.address, "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token", "jwks_uri": f"{self.address}/keys",
            }
        )  # fmt: skip

    def keys(self, _: Request) -> Response:
        """Its public keys."""
        return JSONResponse({"keys": [self.key.jwk]})

    def authorize(self, request: Request) -> Response:
        """The user consents at once."""
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = token_urlsafe(16)
        self.codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"], "iss": self.address})
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}", 302)

    async def token(self, request: Request) -> Response:
        """A token for a code: once, for the client, and only for whoever knows the verifier."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked_for_tokens.append(form)
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        client = b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        fits = (
            asked is not None
            and challenge.decode() == asked["code_challenge"]
            and form["redirect_uri"] == asked["redirect_uri"]
        )
        if (
            asked is None
            or not fits
            or (client != f"{CLIENT}:{SECRET}".replace(" ", "+") and client != f"{CLIENT}:{SECRET}")
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        changes = {"iss": self.address, "aud": CLIENT, "nonce": asked["nonce"], "nbf": None} | self.says
        token = self.key.sign(claims_of(self.user, **changes), typ="JWT")
        return JSONResponse({"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    @property
    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/keys", self.keys),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
            ]
        )


@contextmanager
def provider_listening() -> Iterator[Provider]:
    """A provider at an address."""
    provider = Provider()
    server = uvicorn.Server(uvicorn.Config(provider.app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, name="test-provider")
    thread.start()
    try:
        until("the provider", lambda: server.started)
        provider.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield provider
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
