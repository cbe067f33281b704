"""Governance in the browser: who changed the policy and how, what is stopped, data quality, people, and settings without secrets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.approvals.delegations import Loan, delegate_to
from app.auth.keys import KeyGrant, add_key
from app.auth.roles import Act
from app.db.database import database_now
from app.governance.state import activate_policy
from app.settings import Settings
from app.ui.governance.policy_diff import changed_sentences, changed_values
from app.ui.governance.settings_shown import GROUPS, SECRETS, settings_shown
from policies.library import released, releases
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door
from tests.installation import ADA, PAULA, waiting

WICKED = "<img src=x onerror=window.__xss=1>"
Pages = Callable[[str], Browsing]


def test_two_releases_differ_in_words_and_in_numbers() -> None:
    before, after = released("2026-01"), released("2026-04")
    values = {(each.section, each.what): (each.before, each.after) for each in changed_values(before, after, "USD")}
    assert values["What a transfer must earn", "line, at least"] == ("1.00 USD", "1.50 USD")
    assert values["Service levels", "A"] == ("98 %", "98.5 %")
    assert values["Moving back", "days"] == ("14", "10")
    assert values["Approval tiers", "large: cross entity"] == ("no", "yes")
    assert values["Lanes", "chilled modes"] == ("reefer", "reefer, insulated van")
    sentences = changed_sentences(before, after, "USD")
    assert any(each.added and "10 days" in each.words for each in sentences)
    assert any(not each.added and "14 days" in each.words for each in sentences)
    assert changed_values(before, before, "USD") == []
    assert changed_sentences(before, before, "USD") == []


@pytest.mark.parametrize("after", [policy.release for policy in releases()[1:]])
def test_what_differs_is_told_in_no_jargon(after: str) -> None:
    for change in changed_values(releases()[0], released(after), "USD"):
        for part in ("_", "minor", " bp", "e6"):
            assert part not in f"{change.what} {change.before} {change.after}", change


def test_every_setting_is_shown_and_no_secret_is() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(Settings.model_fields)
    secret = "a-word-that-nobody-may-read-0123456789"
    typed = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert typed <= SECRETS
    told: dict[str, object] = dict.fromkeys(SECRETS - typed, secret) | dict.fromkeys(typed, SecretStr(secret))
    told |= {"erp_url": f"https://user:{secret}@erp.example/{secret}?key={secret}"}
    rows = [row for group in settings_shown(Settings().model_copy(update=told)).values() for row in group]
    assert not any(secret in row.value for row in rows)
    by_variable = {row.variable: row for row in rows}
    assert by_variable["EVENKEEL_ERP_URL"].value == "erp.example"
    assert by_variable["EVENKEEL_ERP_KEY"].value == "set"
    assert not by_variable["EVENKEEL_ERP_KEY"].is_default


@pytest.mark.parametrize(("days", "words"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1234, "1,234 days")])
def test_one_day_is_a_day(days: int, words: str) -> None:
    rows = settings_shown(Settings().model_copy(update={"overdue_days": days}))["Approvals and orders"]
    assert [row.value for row in rows if row.variable == "EVENKEEL_OVERDUE_DAYS"] == [words]


def test_who_changed_the_policy_when_and_why_is_read_in_one_look(own_pages: Pages) -> None:
    otto = own_pages("otto")
    otto.send("/v1/policies/activations", {"policy": "2026-12", "reason": WICKED})
    otto.send("/v1/policies/activations", {"policy": "2026-11", "reason": "as it was"})
    page = own_pages("vera").get("/governance")
    assert "Policy in force: standard 2026-11" in page.text
    assert "Put in force by otto" in page.text
    for words in ("Who changed the policy", "rolled back", "as it was", WICKED, "In force before"):
        assert words in page.text
    assert page.foreign == []


def test_a_release_is_put_in_force_only_by_those_who_govern(own_pages: Pages) -> None:
    otto = own_pages("otto").get("/governance/policies")
    offered = [tag for tag in otto.all("form") if tag.attributes.get("data-send") == "POST /v1/policies/activations"]
    assert len(offered) == len(releases()) - 1, "the one in force is not offered"
    vera = own_pages("vera").get("/governance/policies")
    assert [tag for tag in vera.all("form") if "data-send" in tag.attributes] == []
    assert "Operators and administrators put releases in force" in vera.text
    assert "Nothing is released without a person" in vera.text, "the words of the releases are for everybody"


def test_a_difference_is_asked_for_by_address(pages: Pages) -> None:
    page = pages("vera").get("/governance/policies/difference?before=2026-01&after=2026-04", fragment=True)
    assert "Only in 2026-01" in page.text
    assert "New in 2026-04" in page.text
    assert "They say the same" not in page.text
    assert pages("vera").answer("/governance/policies?before=1999-01").status_code == 404
    assert (
        "different releases" in pages("vera").get("/governance/policies/difference?before=2026-01&after=2026-01").text
    )


def test_the_lists_to_compare_releases_say_which_one_is_in_force_now(own_pages: Pages) -> None:
    otto = own_pages("otto")
    place = otto.get("/governance/policies").by_id("comparison").attributes
    assert "governance" in (place["data-on"] or "").split(), "it follows what is put in force"
    otto.send("/v1/policies/activations", {"policy": "2026-11", "reason": "as agreed"})
    lists = otto.get(place["data-url"] or "", fragment=True)
    in_force = [tag.text for tag in lists.all("option") if "in force" in tag.text]
    assert in_force == ["2026-11 (in force)"] * 2
    chosen = otto.get("/governance/policies/difference?before=2026-01&after=2026-04", fragment=True)
    assert [tag.text for tag in chosen.all("option") if "selected" in tag.attributes] == ["2026-01", "2026-04"]


def test_what_is_stopped_is_shown_with_who_and_why_and_can_be_released(own_pages: Pages) -> None:
    otto = own_pages("otto")
    otto.send("/v1/kill-switch", {"engaged": True, "reason": WICKED})
    stop = otto.send("/v1/stops", {"site_id": "S1", "reason": "a leak"}).json()
    page = otto.get("/governance")
    assert page.by_id("stops").name == "section", "the banner leads here"
    for words in ("Everything is stopped", WICKED, "By otto", "Everything from or to S1", "a leak"):
        assert words in page.text
    assert page.foreign == []
    sends = [tag.attributes.get("data-send") for tag in page.all("form")]
    assert f"POST /v1/stops/{stop['stop_id']}/release" in sends
    ada = own_pages("ada").get("/governance/stops", fragment=True)
    assert [tag for tag in ada.all("form") if "release" in (tag.attributes.get("data-send") or "")] == []
    otto.send(f"/v1/stops/{stop['stop_id']}/release", {"reason": "dry again"})
    after = own_pages("vera").get("/governance/stops", fragment=True)
    for words in ("Stops that were released (1)", "dry again", "by otto"):
        assert words in after.text
    assert "dry again" in own_pages("vera").answer("/governance/stops/export.csv").text


def test_what_nobody_may_stop_is_not_offered(pages: Pages) -> None:
    vera = pages("vera").get("/governance")
    assert [tag for tag in vera.all("form") if "data-send" in tag.attributes] == []
    assert "Approvers, operators and administrators can stop everything" in vera.text
    fern = pages("fern").get("/governance")
    assert "You can stop your own sites" in fern.text
    assert [
        tag.attributes["value"] for tag in fern.all("option") if tag.attributes.get("value") in ("S1", "S2", "S3")
    ] == ["S3"] * 3


def test_the_board_of_signals_tells_verdicts_reasons_and_freshness(door: Door, own_pages: Pages) -> None:
    with door.service.database.engine.begin() as connection:
        connection.execute(
            text("""update signal set verdict = 'quarantined', findings = cast(:found as jsonb), stated_at = stated_at - interval '30 days'
                    where (source, signal_id) in (select source, signal_id from signal where kind like '%stock%' limit 1)"""),
            {"found": f'[{{"check": "unknown", "verdict": "quarantined", "reason": "{WICKED}", "numbers": {{}}}}]'},
        )
    page = own_pages("otto").get("/governance/data?verdict=quarantined")
    assert WICKED in page.text
    assert page.foreign == []
    assert page.one("a", class_="figure", href="/governance/data?verdict=quarantined").text.startswith("Quarantined 1")
    assert "nothing" not in own_pages("otto").get("/governance/data/signals?verdict=quarantined").text
    assert "Operators who see them all" in own_pages("vera").get("/governance/data").text
    assert own_pages("vera").answer("/governance/data/export.csv").status_code == 403


def test_people_are_listed_for_those_who_manage_them_and_others_see_themselves(pages: Pages) -> None:
    adam = pages("adam").get("/governance/people")
    for words in ("Paula", "approver", "token", "no limit", "Keys of other programs"):
        assert words in adam.text
    otto = pages("otto").get("/governance/people")
    assert "Administrators see everybody" in otto.text
    assert "Paula" not in otto.text
    assert pages("otto").answer("/governance/people/export.csv").status_code == 403
    assert "paula" in pages("adam").answer("/governance/people/export.csv").text


def test_settings_are_for_those_who_run_the_service(pages: Pages, house: Door) -> None:
    otto = pages("otto").get("/governance/settings")
    for words in (
        "EVENKEEL_WORKERS",
        "built-in",
        "asked as usual",
        "No language model was asked",
        "Nobody. Other programs",
    ):
        assert words in otto.text
    url = house.service.settings.database_url
    assert url is not None
    assert url.get_secret_value() not in otto.text
    vera = pages("vera").get("/governance/settings")
    assert "EVENKEEL_WORKERS" not in vera.text
    assert vera.text.count("Operators and administrators") == 3


def test_the_tables_of_people_and_settings_are_downloaded_by_those_who_see_them(own_pages: Pages, door: Door) -> None:
    with door.service.database.transaction() as session:
        made = add_key(session, PAULA, KeyGrant("robot", (Act.READ,), None, sees_sensitive=False, days=9), by="adam")
        activate_policy(session, "2027-01", "otto", "it knows delegations")
        now = database_now(session)
        delegate_to(session, ADA, Loan("bob", reason=WICKED, starts_at=now, ends_at=now + timedelta(days=2)))
    adam, otto, vera = (own_pages(each) for each in ("adam", "otto", "vera"))
    keys = adam.answer("/governance/people/keys.csv").text
    assert "robot" in keys
    assert made.secret not in keys
    assert otto.answer("/governance/people/keys.csv").status_code == 403
    assert WICKED in adam.answer("/governance/people/delegations.csv").text
    assert len(own_pages("bob").answer("/governance/people/delegations.csv").text.splitlines()) == 2, "it concerns him"
    assert len(vera.answer("/governance/people/delegations.csv").text.splitlines()) == 1, "others are not told"
    settings = otto.answer("/governance/settings/in-force.csv").text
    assert settings.count("EVENKEEL_") > 30
    assert vera.answer("/governance/settings/in-force.csv").status_code == 403
    assert otto.answer("/governance/settings/subscriptions.csv").status_code == 200
    assert vera.answer("/governance/settings/subscriptions.csv").status_code == 403


def test_sources_and_the_comparison_of_two_releases_are_downloaded_as_they_are_shown(pages: Pages) -> None:
    otto, vera = pages("otto"), pages("vera")
    head, *rows = otto.answer("/governance/data/sources.csv").text.splitlines()
    assert "Age (hours)" in head
    assert rows
    assert otto.answer("/governance/data/holds.csv").status_code == 200
    for what in ("sources", "holds"):
        assert vera.answer(f"/governance/data/{what}.csv").status_code == 403
    page = vera.get("/governance/policies/difference?before=2026-01&after=2026-04", fragment=True)
    (link,) = [tag.attributes["href"] or "" for tag in page.all("a") if tag.text == "CSV"]
    found = vera.answer(link).text
    assert found.splitlines()[0].endswith("2026-01,2026-04")
    assert '"line, at least",1.00 USD,1.50 USD' in found
    assert "In words" in found


def test_who_puts_a_release_in_force_reads_first_which_waiting_plans_it_voids_and_what_comes_of_them(
    own_pages: Pages, door: Door
) -> None:
    otto, request, first = own_pages("otto"), door.pending, releases()[0].release
    page = otto.get("/governance/policies")
    words = f"1 plan that waits was made under {first} , which is in force now: look at it"
    assert page.text.count(words) == len(releases()) - 1
    assert "it is planned again under 2026-12" in page.text
    asked = [form.attributes["data-ask"] or "" for form in page.all("form") if form.attributes.get("data-ask")]
    assert any(
        f"1 plan that waits was made under {first} and can no longer be approved as it is" in each for each in asked
    )
    link = page.all("a", href=f"/queue?policy={first}")[0].attributes["href"] or ""
    assert otto.get(link).by_id(f"open-{request.approval_id}")
    assert "Nothing fits" in otto.get("/queue?policy=2026-12").text
    assert otto.answer("/queue?policy=1999-01").status_code == 404
    otto.send("/v1/policies/activations", {"policy": "2026-12", "reason": "a new quarter"})
    page = otto.get("/governance/policies/releases", fragment=True)
    assert "No plan that waits was made under 2026-12: nothing has to be planned again." in page.text
    assert f"1 plan that waits was made under {first} and can be approved again" in page.text
    ada = own_pages("ada")
    assert ada.decide(request.approval_id, request.plan_digest).json()["code"] == "outrun"
    door.service.resume_thread(request.approval_id)
    (again,) = waiting(door.service)
    assert ada.get("/queue?policy=2026-12").by_id(f"open-{again.approval_id}"), "it was planned again"


def test_waiting_plans_are_counted_at_the_readers_sites_alone(own_pages: Pages, door: Door) -> None:
    page = own_pages("fern").get("/governance/policies")
    assert door.pending
    assert f"No plan that waits was made under {releases()[0].release} at your sites" in page.text
    assert "1 plan that waits" not in page.text
