"""Help: how it works, answers with the way to click, who does what, keys, and the glossary."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.auth.roles import Act, Principal, Role
from app.ui.exports import Table, downloads
from app.ui.help.glossary import TERMS, glossary
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute

router = APIRouter(route_class=PageRoute)
ACTS: dict[Act, str] = {
    Act.READ: "See plans, orders and stock of their sites",
    Act.PLAN: "Ask for plans, and put them into the queue",
    Act.SCAN: "Have the whole network scanned",
    Act.DECIDE: "Reject, change or remark on a plan",
    Act.APPROVE: "Approve a plan, unless they had a hand in it",
    Act.RECEIVE: "Report what has arrived",
    Act.RESOLVE: "Settle what the ERP and the books do not agree on",
    Act.IMPORT: "Import a network",
    Act.SEND_SIGNALS: "Send in counts, sales and other signals",
    Act.VERIFY: "Check the audit trail",
    Act.STOP: "Stop a site, a lane, a class of goods or everything",
    Act.GOVERN: "Put a policy in force, and release what was stopped",
    Act.MANAGE_PEOPLE: "Add people, and change their roles",
}
NAMES = {term.slug: term.name for term in TERMS}


@cache
def who_may() -> tuple[tuple[str, tuple[bool, ...]], ...]:
    """What each role may do, by the rules that the service asks."""
    return tuple((words, tuple(role in Principal.roles_that_may(act) for role in Role)) for act, words in ACTS.items())


@router.get("/help")
def show(request: Request, looking: Looking) -> Response:
    """All of it on one page."""
    content = {"looking": looking, "terms": glossary(), "names": NAMES, "roles": list(Role), "who_may": who_may()}
    return render(request, "help/page.html", content)


@downloads(router, "/help/roles")
def roles_table(looking: Looking) -> Table:
    """Who does what."""
    del looking  # whoever is signed in may know it
    cells = ((words, *("yes" if is_allowed else "no" for is_allowed in allowed)) for words, allowed in who_may())
    return Table("roles", ("To", *(role.value.capitalize() for role in Role)), cells)
