"""Templates: how figures, instants and words look on every page. All text from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates
from jinja2 import StrictUndefined
from starlette.staticfiles import StaticFiles

from app.ui.status_words import state_words, status_kind, status_words
from tools.counted import counted
from tools.money import money_text

HERE = Path(__file__).parent
STATIC = HERE / "static"
_PPM = 1_000_000
_MINUTE = 60


class VersionedFiles(StaticFiles):
    """The static files under `/static/{version}/`. Modules import each other by paths, so they share a version.

    Any version is served with the files there are: while replicas are being replaced, a page and its files may come
    from two of them. Only what has the right version may be kept for long.
    """

    def get_path(self, scope: MutableMapping[str, Any]) -> str:
        """The path of a file without its version."""
        return super().get_path(scope).partition("/")[2]

    def file_response(self, *args: Any, **more: Any) -> Response:
        """A file, and how long it may be kept."""
        answer = super().file_response(*args, **more)
        scope: MutableMapping[str, Any] = args[2]
        is_ours = f"/{VERSION}/" in scope["path"]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_ours else "no-cache"
        return answer


def _version() -> str:
    """What the addresses of static files carry: another one once any of them has changed."""
    files = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def units_text(units: float | None) -> str:
    """A count for people: `1,234`; a dash for what is not known."""
    return "–" if units is None else f"{units:,}"


def percent_text(ppm: int | None, decimals: int = 1) -> str:
    """Parts per million as a percentage: `97.6 %`; a dash for what is not known."""
    return "–" if ppm is None else f"{ppm * 100 / _PPM:.{decimals}f} %"


def when_text(instant: datetime) -> str:
    """An instant for people, in UTC: `2 Mar 2026, 06:00 UTC`."""
    utc = instant.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def day_text(day: date) -> str:
    """A day for people: `Mon 2 Mar 2026`."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def words_text(name: str) -> str:
    """A name of our own in words: `needs_attention` is `needs attention`."""
    return name.replace("_", " ")


def span_text(seconds: float) -> str:
    """How long, in the largest unit that fits: `3 h`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago_text(seconds: float) -> str:
    """How long ago: `3 h ago`. What is less than a minute old, or dated a little ahead, is of now."""
    return "just now" if seconds < _MINUTE else f"{span_text(seconds)} ago"


VERSION = _version()
templates = Jinja2Templates(HERE / "templates")
templates.env.undefined = StrictUndefined
templates.env.trim_blocks = templates.env.lstrip_blocks = True
templates.env.filters |= {
    "money": money_text, "units": units_text, "percent": percent_text, "when": when_text, "day": day_text,
    "words": words_text, "span": span_text, "status_words": status_words, "status_kind": status_kind,
    "state_words": state_words, "ago": ago_text, "counted": counted,
}  # fmt: skip
templates.env.globals["static"] = f"/static/{VERSION}"


def compile_templates() -> None:
    """Compile every page now: it takes half a second, which the first visitor would wait for."""
    for name in templates.env.list_templates(extensions=["html"]):
        templates.env.get_template(name)


def render(request: Request, name: str, content: Mapping[str, Any], *, status: int = 200) -> Response:
    """A page or fragment."""
    return templates.TemplateResponse(request, name, dict(content), status_code=status)
