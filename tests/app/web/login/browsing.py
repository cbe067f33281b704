"""A browser at our address that keeps cookies as browsers do, and what a directory says of whoever logs in with it."""

from __future__ import annotations

import httpx
import httpx2
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from app.auth.browsers import form_token
from app.service import Service
from app.web.dependencies import SESSION_COOKIE
from app.web.main import create_app

HOME = "https://evenkeel.example"
CLAIMS = {
    "roles": ["stock-approvers"],
    "sites": "*",
    "preferred_username": "adele",
    "name": "Adele",
    "sees_sensitive": True,
}


APPS: dict[str, FastAPI] = {}


def app_on(service: Service) -> FastAPI:
    """The application on a service, made once."""
    if service.database.url not in APPS:
        APPS[service.database.url] = create_app(service)
    return APPS[service.database.url]


class Browser:
    """A browser at our address: it keeps cookies by their rules, and says which page asks."""

    def __init__(self, service: Service) -> None:
        self.client = TestClient(app_on(service), base_url=HOME, follow_redirects=False)

    @property
    def session(self) -> str:
        return self.client.cookies.get(SESSION_COOKIE) or ""

    def go_to_the_directory(self) -> str:
        """Begin a login. The address to which the directory sends the browser back."""
        begun = self.client.get("/login")
        assert begun.status_code == 303, begun.text
        answer = httpx.get(begun.headers["location"])
        assert answer.status_code == 302
        return answer.headers["location"]

    def log_in(self) -> httpx2.Response:
        return self.client.get(self.go_to_the_directory())

    def post(self, path: str, body: object, **headers: str) -> httpx2.Response:
        return self.client.post(path, json=body, headers={"Idempotency-Key": "a-key-of-the-browser"} | headers)

    @property
    def form_token(self) -> str:
        """What our pages carry for their forms."""
        return form_token(self.session)

    @property
    def form_token_on_the_page(self) -> str:
        """The same, as the page really carries it."""
        page = self.client.get("/").text
        return page.partition('name="form-token" content="')[2].partition('"')[0]


def change(service: Service, statement: str, **values: object) -> None:
    with service.database.transaction() as session:
        session.connection().execute(text(statement), values)


OWN = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
SWITCH = {"engaged": False, "reason": "a drill"}


def refused(answer: httpx2.Response) -> bool:
    """Whether a login came to nothing, and the page says so."""
    return (
        answer.status_code == 401 and "did not say who you are" in answer.text and SESSION_COOKIE not in answer.cookies
    )
