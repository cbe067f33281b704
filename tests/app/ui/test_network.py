"""The network, its stock, and the pages of a site and of a SKU."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from sqlalchemy import text

from app.auth.roles import Role
from app.ui.network import page as network_page
from tests.app.ui.pages import Browsing, Markup
from tests.app.web.door import Door
from tests.builders import a_dc, a_site, a_sku
from tests.installation import a_network, import_into, person

Pages = Callable[[str], Browsing]
PLANTED = "<script>window.__xss=1</script>"


def _rows(page: Markup) -> list[str]:
    """The heads of the rows of the last table."""
    return [tag.text for tag in page.all("th", scope="row")]


def _csv(browsing: Browsing, path: str) -> list[dict[str, str]]:
    answer = browsing.answer(path)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_each_site_is_a_link_on_the_map_and_a_row_of_the_list(pages: Pages) -> None:
    page = pages("paula").get("/network")
    for site_id in ("S1", "S2", "S3"):
        mark = page.by_id(f"at-{site_id}")
        assert (mark.name, mark.attributes["href"]) == ("a", f"/network/sites/{site_id}")
        assert f"Site {site_id} ({site_id}):" in mark.text
    assert page.by_id("at-S1").attributes["class"] == "site surplus"
    assert page.by_id("at-S2").attributes["class"] == "site shortage"
    assert "+" in page.by_id("at-S1").text, "colour is never alone"
    assert len(_rows(page)) == 3
    assert [tag.text for tag in page.all("title") if "units in plans that wait" in tag.text]
    assert page.foreign == []


def test_the_card_of_a_site_tells_what_the_map_points_at(pages: Pages) -> None:
    paula = pages("paula")
    card = paula.get("/network/sites/S2/card", fragment=True)
    assert "2 shortage" in card.text
    assert "At stake" in card.text
    pages("fern").get("/network/sites/S2/card", 404)
    paula.get("/network/sites/S2/card?kind=surplus", 404)


def test_the_list_is_filtered_sorted_and_downloaded_as_chosen(pages: Pages) -> None:
    paula = pages("paula")
    assert [row.split()[1] for row in _rows(paula.get("/network?sort=name"))] == ["S1", "S2", "S3"]
    assert [row.split()[1] for row in _rows(paula.get("/network?sort=-name"))] == ["S3", "S2", "S1"]
    assert [row.split()[1] for row in _rows(paula.get("/network/now?kind=shortage"))] == ["S2", "S3"]
    assert [row.split()[1] for row in _rows(paula.get("/network/now?site=s3"))] == ["S3"]
    assert "No site fits" in paula.get("/network/now?site=nowhere").text
    assert paula.answer("/network?sort=password").status_code == 422
    rows = _csv(paula, "/network/export.csv?kind=surplus")
    assert [row["Site"] for row in rows] == ["S1"]
    assert float(rows[0]["At stake (USD)"]) > 0
    whole, some = _csv(paula, "/network/export.csv?sort=site"), _csv(paula, "/network/export.csv?sort=site&sku=P1")
    assert float(some[0]["Stock value (USD)"]) < float(whole[0]["Stock value (USD)"])
    assert paula.answer("/network/export.xlsx").content[:2] == b"PK"


@pytest.mark.parametrize(("here", "there"), [("/network", "/network/stock"), ("/network/stock", "/network")])
def test_what_is_chosen_on_the_map_or_the_list_of_stock_is_taken_along_to_the_other(
    pages: Pages, here: str, there: str
) -> None:
    paula = pages("paula")
    assert _tabs(paula.get(here)) == {"Map and sites": "/network", "Stock list": "/network/stock"}
    chosen = "kind=shortage&class=A&category=tea+%26+more&sku=P1&site=S2"
    own = "show=risk&sort=cover" if here == "/network/stock" else "sort=name"
    tabs = _tabs(paula.get(f"{here}?{chosen}&{own}"))
    assert f"{there}?{chosen}" in tabs.values(), "what only one of them has stays behind: the other would refuse it"
    assert paula.get(f"{there}?{chosen}").by_id("f-sku").attributes["value"] == "P1"


def _tabs(page: Markup) -> dict[str, str | None]:
    return {tag.text: tag.attributes["href"] for tag in page.all("a") if "data-carries" in tag.attributes}


def test_stock_is_listed_by_what_is_asked_for(pages: Pages) -> None:
    paula = pages("paula")
    assert "6 rows" in paula.get("/network/stock").text
    assert "4 rows" in paula.get("/network/stock?show=shortage").text
    assert "2 rows" in paula.get("/network/stock?show=surplus").text
    assert "6 rows" in paula.get("/network/stock?show=imbalances").text
    assert "3 rows" in paula.get("/network/stock/rows?sku=P2").text
    assert "Nothing fits" in paula.get("/network/stock/rows?show=stranded").text
    for sort in ("stake", "site", "sku", "on_hand", "available", "in_transit", "on_order", "cover", "risk"):
        rows = _csv(paula, f"/network/stock/export.csv?sort=-{sort}")
        assert len(rows) == 6, sort
    on_hand = [int(row["On hand"]) for row in _csv(paula, "/network/stock/export.csv?sort=-on_hand")]
    assert on_hand == sorted(on_hand, reverse=True)


def test_a_site_shows_its_stock_what_is_wrong_and_what_would_change(pages: Pages) -> None:
    paula = pages("paula")
    page = paula.get("/network/sites/S2")
    assert "Oldest count just now" in page.text
    assert page.all("h1")[0].text == "Site S2"
    assert "Runs out about" in page.by_id("site").text
    assert "comes in" in page.by_id("site").text
    assert "Nothing is on its way" in page.text
    assert page.by_id("stock").attributes["data-url"] == "/network/sites/S2/stock/rows?show=all&sort=-stake&page=1"
    assert "2 rows" in page.text
    assert len(_csv(paula, "/network/sites/S2/stock/export.csv")) == 2
    assert "1 row" in paula.get("/network/sites/S2/stock/rows?sku=P1").text


def test_a_sku_shows_each_site_its_target_and_what_the_plan_changes(pages: Pages) -> None:
    paula = pages("paula")
    page = paula.get("/network/skus/P1?site=S3")
    changed = page.one("section", aria_labelledby="change-title")
    assert "Site S1" in changed.text
    assert "Site S2" in changed.text
    assert "→" in changed.text
    charts = page.all("svg", role="img")
    assert len(charts) == 6
    assert "Expected stock at S3" in (charts[0].attributes["aria-label"] or ""), (
        "the site that was asked for comes first"
    )
    assert [tag for tag in page.tags if tag.attributes.get("class") == "second" and tag.name == "polyline"]
    rows = _csv(paula, "/network/skus/P1/export.csv")
    assert [row["Site"] for row in rows] == ["S1", "S2", "S3"]
    assert int(rows[0]["Order up to"]) >= int(rows[0]["Safety stock"]) >= 0


def test_of_a_plan_with_one_end_elsewhere_only_the_own_end_is_shown(own_pages: Pages, door: Door) -> None:
    door.admit(person("vera", Role.PLANNER, sites=frozenset({"S2"})))
    vera = own_pages("vera")
    site, sku = vera.get("/network/sites/S2"), vera.get("/network/skus/P1")
    assert "(elsewhere)" in site.text
    for page in (site, sku, vera.get("/network"), vera.get("/network/stock"), vera.get("/")):
        assert "S1" not in page.text
        assert "S3" not in page.text
    assert "+" in sku.one("section", aria_labelledby="change-title").text
    assert [row["Site"] for row in _csv(vera, "/network/export.csv")] == ["S2"]


def test_what_is_not_there_and_what_is_not_theirs_answer_alike(pages: Pages) -> None:
    fern = pages("fern")
    for path in (
        "/network/sites/S1", "/network/sites/S1/now", "/network/sites/S1/stock/rows", "/network/sites/S1/stock/export.csv",
        "/network/sites/nowhere", "/network/skus/nothing", "/network/skus/nothing/now", "/network/skus/nothing/export.csv",
    ):  # fmt: skip
        assert fern.answer(path).status_code == 404, path


def test_names_are_text_in_the_map_as_well_and_masked_skus_stay_masked(own_pages: Pages, door: Door) -> None:
    import_into(
        door.service,
        a_network(
            skus=(a_sku("P1", name=PLANTED, category="toys"), a_sku("P2", name="Secret serum", category="drugs", sensitive=True)),
            sites=(
                a_dc("S1", name=PLANTED, latitude_e6=50_000_000, longitude_e6=8_000_000),
                a_site("S2", name="Two", latitude_e6=51_000_000, longitude_e6=9_000_000), a_site("S3", name="Three"),
            ),
        ),
    )  # fmt: skip
    vera, ada = own_pages("vera"), own_pages("ada")
    for path in ("/network", "/network/stock", "/network/sites/S1", "/network/sites/S2", "/network/skus/P1"):
        page = vera.get(path)
        assert PLANTED in page.text or path.endswith("S2"), path
        assert page.foreign == [], path
        assert "Secret serum" not in page.text, path
        assert "P2" not in page.text, path
    assert "1 site has no coordinates" in vera.get("/network").text
    vera.get("/network/skus/P2", 404)
    masked = next(row["SKU"] for row in _csv(vera, "/network/stock/export.csv") if row["SKU name"] == "(masked)")
    vera.get(f"/network/skus/{masked}", 404)
    assert "Nothing fits" in vera.get("/network/stock/rows?category=drugs").text, "a filter gives nothing away"
    assert "3 rows" in ada.get("/network/stock/rows?category=drugs").text
    assert "drugs" not in vera.get("/network").text
    ada.get("/network/skus/P2")


def test_a_long_list_of_sites_has_pages_and_the_map_has_all_of_them(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_page, "SITES_SHOWN", 2)
    paula = pages("paula")
    first = paula.get("/network?sort=name")
    assert [row.split()[1] for row in _rows(first)] == ["S1", "S2"]
    assert "3 sites, 1 to 2 listed" in first.text
    assert len(first.all("circle")) == 3
    (following,) = [tag.attributes["href"] for tag in first.all("a", rel="next")]
    assert following == "/network?sort=name&page=2#sites-title"
    second = paula.get("/network?sort=name&page=2")
    assert [row.split()[1] for row in _rows(second)] == ["S3"]
    assert second.by_id("network").attributes["data-url"] == "/network/now?sort=name&page=2", "it stays on its page"
    assert [row.split()[1] for row in _rows(paula.get("/network/now?sort=name&page=9"))] == ["S3"]
    assert len(_csv(paula, "/network/export.csv")) == 3


def test_the_sites_of_a_sku_are_sorted_by_each_column(pages: Pages) -> None:
    paula = pages("paula")
    heads = {
        "on_hand": "On hand", "reserved": "Reserved", "available": "Available", "in_transit": "In transit",
        "on_order": "On order", "risk": "Risk of running out (%)", "safety": "Safety stock", "order_up_to": "Order up to",
    }  # fmt: skip
    page = paula.get("/network/skus/P1?sort=-on_hand")
    offered = [tag.attributes["data-sort"] for tag in page.all("button", data_for="sku-form")]
    assert set(offered) == {*heads, "site", "stake", "cover"}
    assert page.by_id("sku-form").attributes["data-filter"] == "/network/skus/P1/now"
    for sort, head in heads.items():
        found = [float(row[head]) for row in _csv(paula, f"/network/skus/P1/export.csv?sort=-{sort}")]
        assert found == sorted(found, reverse=True), sort
        listed = _rows(paula.get(f"/network/skus/P1/now?sort=-{sort}", fragment=True))[-3:]
        rows = [row["Site"] for row in _csv(paula, f"/network/skus/P1/export.csv?sort=-{sort}")]
        assert [row.split()[1] for row in listed] == rows, sort
    assert [row["Site"] for row in _csv(paula, "/network/skus/P1/export.csv?sort=-site")] == ["S3", "S2", "S1"]
    assert paula.answer("/network/skus/P1?sort=secret").status_code == 422


def test_before_any_network_a_fragment_says_what_to_do_like_the_page(own_pages: Pages, door: Door) -> None:
    with door.service.database.engine.begin() as connection:
        connection.execute(text("update installation set currency = null"))
    paula = own_pages("paula")
    for path in ("/network", "/network/now", "/network/stock", "/network/stock/rows"):
        assert "evenkeel import" in paula.get(path, fragment="/" in path[9:]).text, path
    paula.get("/network/sites/S1/card", 404, fragment=True)


def test_the_tables_of_a_site_and_of_a_sku_are_downloaded(pages: Pages) -> None:
    paula = pages("paula")
    wrong = _csv(paula, "/network/sites/S2/imbalances.csv")
    assert {row["SKU"] for row in wrong} == {"P1", "P2"}
    assert all(
        "Runs out about" in row["If nothing is done (of the costliest 200)"] and float(row["At stake (USD)"]) > 0
        for row in wrong
    )
    planned = _csv(paula, "/network/sites/S2/plans.csv")
    assert planned
    assert all(int(row["Comes in"]) > 0 and row["Other end"] == "S1" for row in planned)
    assert _csv(paula, "/network/sites/S2/transfers.csv") == []
    changes = {row["Site"]: row for row in _csv(paula, "/network/skus/P1/changes.csv")}
    assert set(changes) == {"S1", "S2"}
    assert int(changes["S2"]["Comes in"]) == int(changes["S1"]["Goes out"]) > 0
    fern = pages("fern")
    for what in ("imbalances", "plans", "transfers"):
        assert fern.answer(f"/network/sites/S2/{what}.csv").status_code == 404
    assert _csv(fern, "/network/skus/P1/changes.csv") == []
