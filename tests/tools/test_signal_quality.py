"""How many stock figures of a site are held back or too old."""

from __future__ import annotations

from datetime import timedelta

from tests.builders import NOW, a_hold, a_position, a_site, a_sku, a_snapshot
from tools.inventory import SiteSku
from tools.signal_quality import SiteFigures, figures_by_site


def a_chain():
    """S1 was counted just now, S2 three and four days ago; P1 is held at S2, and at S3, where nothing was ever counted."""
    return a_snapshot(
        sites=(a_site("S1"), a_site("S2"), a_site("S3")),
        skus=(a_sku("P1"), a_sku("P2")),
        positions=(
            a_position("S1", "P1"),
            a_position("S1", "P2"),
            a_position("S2", "P1", as_of=NOW - timedelta(hours=72)),
            a_position("S2", "P2", as_of=NOW - timedelta(hours=96, minutes=59)),
        ),
        holds=(a_hold("S2", "P1"), a_hold("S3", "P1")),
    )


def test_sites_are_counted_and_the_worst_come_first():
    snapshot = a_chain()
    keys = [*snapshot.position_by_key, *snapshot.hold_by_key]
    assert figures_by_site(snapshot, NOW, 48, keys) == (
        SiteFigures("S2", positions=2, held=1, too_old=2, oldest_hours=96),
        SiteFigures("S3", positions=0, held=1, too_old=0, oldest_hours=None),
        SiteFigures("S1", positions=2, held=0, too_old=0, oldest_hours=0),
    )


def test_only_what_is_asked_about_is_counted():
    (found,) = figures_by_site(a_chain(), NOW, 80, [SiteSku("S2", "P1")])
    assert found == SiteFigures("S2", positions=1, held=1, too_old=0, oldest_hours=72)
    assert figures_by_site(a_chain(), NOW, 48, []) == ()


def test_a_count_as_old_as_is_admitted_is_not_too_old_and_one_from_the_future_is_no_age_below_zero():
    snapshot = a_chain()
    (at_the_limit,) = figures_by_site(snapshot, NOW, 72, [SiteSku("S2", "P1")])
    assert at_the_limit.too_old == 0
    (ahead,) = figures_by_site(snapshot, NOW - timedelta(hours=1), 72, [SiteSku("S1", "P1")])
    assert ahead.oldest_hours == 0
