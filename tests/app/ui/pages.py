"""A browser without scripts: it keeps cookies, follows links, sends forms as ours do, and takes markup apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx2
from starlette.testclient import TestClient

from app.service import Service
from app.web.main import create_app
from tests.app.web.door import PEOPLE

ADDRESS = "http://testserver"
DEMO = {each.user_id: (each.name, next(iter(sorted(each.roles)), "viewer")) for each in PEOPLE}


@dataclass
class Tag:
    """A tag with its attributes and the text within it."""

    name: str
    attributes: dict[str, str | None]
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


class Markup(HTMLParser):
    """Markup taken apart: its text, and its tags with their attributes."""

    _VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "use", "rect", "path", "circle", "line", "polyline"})

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self._open: list[Tag] = []
        self._words: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))
        if tag not in self._VOID:
            self._open.append(self.tags[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place].name == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        self._words.append(data)
        for each in self._open:
            each.words.append(data)

    @property
    def text(self) -> str:
        """All that can be read."""
        return " ".join(" ".join(self._words).split())

    def all(self, name: str, /, **attributes: str) -> list[Tag]:
        """Tags of a name with these attributes; `_` stands for a dash, and a trailing one is dropped."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [
            tag for tag in self.tags
            if tag.name == name and all(tag.attributes.get(key) == value for key, value in wanted.items())
        ]  # fmt: skip

    def one(self, name: str, /, **attributes: str) -> Tag:
        """The only such tag."""
        (found,) = self.all(name, **attributes)
        return found

    def by_id(self, identity: str) -> Tag:
        """The tag with an id."""
        (found,) = [tag for tag in self.tags if tag.attributes.get("id") == identity]
        return found

    @property
    def foreign(self) -> list[str]:
        """Whatever would run or fetch something that is not ours: handlers, inline styles and scripts, other addresses."""
        found = []
        for tag in self.tags:
            for name, value in tag.attributes.items():
                address = name in ("href", "src", "action", "formaction", "poster", "data", "xlink:href", "srcset")
                if name.startswith("on") or name in ("style", "srcdoc") or (address and not _is_ours(value or "")):
                    found.append(f"{tag.name} {name}={value}")
            if tag.name in ("style", "iframe", "object", "embed", "base", "img"):
                found.append(tag.name)
            if tag.name == "script" and not (tag.attributes.get("src") or "").startswith("/static/"):
                found.append("script")
        return found


def _is_ours(address: str) -> bool:
    return (address.startswith("/") and not address.startswith("//")) or address.startswith(("#", "?"))


@dataclass(frozen=True)
class Browsing:
    """Somebody's browser."""

    client: TestClient
    service: Service

    @classmethod
    def of(cls, service: Service, person: str) -> Browsing:
        """A browser in which somebody is signed in."""
        client = TestClient(create_app(service, DEMO), base_url=ADDRESS, raise_server_exceptions=False)
        answer = client.post(
            "/sign-in/demo", data={"person": person}, headers={"Origin": ADDRESS}, follow_redirects=False
        )
        assert answer.status_code == 303, answer.text
        return cls(client, service)

    def get(self, path: str, status: int = 200, *, fragment: bool = False) -> Markup:
        """A page, or a fragment as our scripts ask for it."""
        answer = self.answer(path, fragment=fragment)
        assert answer.status_code == status, answer.text
        return Markup(answer.text)

    def answer(self, path: str, *, fragment: bool = False) -> httpx2.Response:
        """What comes back, as it is."""
        headers = {"X-Fragment": "1"} if fragment else {"Accept": "text/html"}
        return self.client.get(path, headers=headers, follow_redirects=False)

    @property
    def form_token(self) -> str:
        """What our forms carry."""
        return self.get("/").one("meta", name="form-token").attributes["content"] or ""

    def send(self, path: str, body: object, **headers: str) -> httpx2.Response:
        """What a form of ours sends to the API."""
        own = {"X-Form-Token": self.form_token, "Origin": ADDRESS, "Idempotency-Key": uuid4().hex}
        return self.client.post(path, json=body, headers=own | headers)

    def decide(self, approval_id: object, digest: str, verdict: str = "approve", **more: Any) -> httpx2.Response:
        """A decision as the drawer sends it."""
        return self.send(f"/v1/approvals/{approval_id}/decision", {"verdict": verdict, "plan_digest": digest, **more})


def cookie_of(service: Service, person: str) -> dict[str, str]:
    """The cookie of a browser in which somebody is signed in."""
    return dict(Browsing.of(service, person).client.cookies)
