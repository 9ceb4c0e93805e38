"""What every screen shows: the canary's age, notices, sound for what nobody has taken, the early warning score."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.alert_world import notice, tachycardia
from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.ward_world import station
from tests.browser.world import SECOND, Alert, now_us

pytestmark = pytest.mark.server("chromium")

PATHS = ["/", "/ward", "/fleet", "/alerts", "/roster", "/units/amb-001", "/alerts/alert-1"]


@pytest.mark.parametrize("path", PATHS)
def test_the_canarys_age_is_on_every_screen(serve: Serve, open_page: Open, path: str) -> None:
    world = FeedServer(1)
    world.alerts["alert-1"] = tachycardia(1, "amb-001")
    page = open_page(serve(world), path=path, language="en")
    expect(page.locator("[data-canary=fresh]")).to_contain_text("Canary")
    expect(page.locator(".foot")).to_contain_text("assists, does not diagnose")


def test_a_canary_that_is_late_or_missing_is_marked(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world), language="en")
    expect(page.locator("[data-canary=fresh]")).to_have_text("Canary 2 s")
    world.canary_age = 12 * SECOND
    expect(page.locator("[data-canary=aging]")).to_contain_text("Canary 12 s")
    world.canary_age = 31 * SECOND
    expect(page.locator("[data-canary=late]")).to_contain_text("Canary late 31 s")
    world.canary_age = None
    expect(page.locator("[data-canary=none]")).to_have_text("No canary")


def test_a_canary_that_a_registered_watcher_never_sent_is_missing(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["watch"] = station("watch", 1, {})
    world.canary_age = None
    page = open_page(serve(world), language="en")
    expect(page.locator("[data-canary=missing]")).to_have_text("Canary missing")


def test_the_canary_grows_old_on_a_screen_that_hears_nothing(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.canary_age = 13 * SECOND
    page = open_page(serve(world))
    expect(page.locator("[data-canary=aging]")).to_be_visible()
    world.cut_link()
    expect(page.locator("[data-canary=late]")).to_be_visible(timeout=10_000)


def tell(world: FeedServer, of: Alert, *, step: int, recipients: list[str]) -> None:
    world.say({"type": "notification", "unit": of["unit"], "notification": notice(of, step=step, recipients=recipients)
               | {"at": now_us()}})  # fmt: skip


def toasts(page: Page) -> list[str]:
    found: list[str] = page.locator(".toast").evaluate_all("all => all.map(e => e.dataset.notice)")
    return found


def test_notices_tell_whom_they_ask_and_go_when_somebody_takes_the_alert(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3)
    page = open_page(serve(world), user="dr.li", language="en")
    one, two, three = (tachycardia(n, f"amb-00{n}", seconds=70) for n in (1, 2, 3))
    for made in (one, two, three):
        world.raise_alert(made)
    tell(world, three, step=0, recipients=["nurse.zhao"])  # raised, and for somebody else: the card says it
    tell(world, two, step=1, recipients=["dr.wang"])
    tell(world, one, step=1, recipients=["dr.li"])
    tell(world, one, step=1, recipients=["dr.li"])  # the same again, for another way to a screen
    expect(page.locator(".toast")).to_have_count(2)
    assert toasts(page) == ["alert-1", "alert-2"]  # what asks me first
    expect(page.locator(".toast").first).to_contain_text("asks you · nobody acknowledged: escalated")
    expect(page.locator(".toast").nth(1)).to_contain_text("asks ED lead")
    page.locator(".toast button").nth(1).click()
    expect(page.locator(".toast")).to_have_count(1)
    page.locator(".card[data-unit=amb-001] .ack").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_a_notice_leads_to_its_alert(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world), user="dr.li")
    made = tachycardia(1, "amb-001", seconds=70)
    world.raise_alert(made)
    tell(world, made, step=1, recipients=["dr.li"])
    page.locator(".toast a").click()
    expect(page.locator(".alert-page")).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)


def test_a_silenced_or_inhibited_alert_makes_no_sound_and_does_not_flash(serve: Serve, open_page: Open) -> None:
    world = FeedServer(2)
    page = open_page(serve(world))
    page.locator(".sound-banner button").click()
    button = page.locator("[data-bursts]")
    world.raise_alert(tachycardia(1, "amb-001", silenced_by="silence-1", next_step_at=None))
    world.raise_alert(tachycardia(2, "amb-002", inhibited_by="alert-1", next_step_at=None))
    expect(page.locator(".alert")).to_have_count(2)
    expect(page.locator(".shape.calling")).to_have_count(0)
    expect(button).to_have_attribute("data-bursts", "0")
    muted = {**world.alerts["alert-1"], "silenced_by": None, "updated_at": now_us()}
    world.raise_alert(muted)  # the silence ran out, and it still stands
    expect(button).to_have_attribute("data-bursts", "1")
    expect(page.locator(".alert .shape.calling")).to_have_count(1)


def test_the_early_warning_score_is_a_number_or_a_lower_bound_with_its_age(serve: Serve, open_page: Open) -> None:
    world = FeedServer(2)
    world.units["amb-001"].scores = {"news2": None, "news2-at-least": 5}
    world.units["amb-002"].scores = {"news2": 7, "news2-at-least": 7}
    page = open_page(serve(world), language="en")
    partial, whole = (page.locator(f".card[data-unit=amb-00{n}] .score") for n in (1, 2))
    expect(partial).to_contain_text("NEWS2 ≥ 5 partial ·")
    expect(whole).to_contain_text("NEWS2 7")
    expect(whole).not_to_contain_text("partial")
    expect(whole).to_contain_text(" s")
    world.units["amb-002"].scores = {"news2": None, "news2-at-least": 6}
    expect(whole).to_contain_text("NEWS2 ≥ 6 partial")  # an input went missing: the old total stands no more
    page.locator(".card-link").first.click()
    expect(page.locator(".unit-head .score")).to_be_visible()


def test_a_score_that_is_not_made_for_somebody_is_not_shown(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["amb-001"].scores = {"news2": None, "news2-at-least": None, "pews": 3, "pews-at-least": 3}
    page = open_page(serve(world), language="en")
    expect(page.locator(".card .score")).to_contain_text("PEWS 3")


def test_an_age_nobody_knows_is_marked_where_limits_and_scores_stand(
    serve: Serve, open_page: Open, screens: Path
) -> None:
    world = FeedServer(2)
    world.units["amb-001"].state["population"] = {"name": "adult", "assumed": True}
    world.units["amb-002"].state["population"] = {"name": "adult", "assumed": False}
    page = open_page(serve(world), language="en")
    expect(page.locator(".card[data-unit=amb-001] .age-unknown")).to_have_text("age unknown: adult limits")
    expect(page.locator(".card[data-unit=amb-001] .score")).to_contain_text("as an adult")
    expect(page.locator(".age-unknown")).to_have_count(1)
    page.screenshot(path=screens / "age-unknown-board.png")
    page.locator(".card[data-unit=amb-001] .card-link").click()
    expect(page.locator(".unit-head .age-unknown")).to_be_visible()
    expect(page.locator(".unit-head .score")).to_contain_text("as an adult")
    page.screenshot(path=screens / "age-unknown-unit.png")
    world.change_unit("amb-001", population={"name": "adult", "assumed": False})
    expect(page.locator(".age-unknown")).to_have_count(0)
    page.locator(".language").click()
    world.change_unit("amb-001", population={"name": "adult", "assumed": True})
    expect(page.locator(".age-unknown")).to_have_text("年龄不详：按成人限值")


def test_where_a_score_is_not_made_for_somebody_its_place_says_so(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    unit = world.units["amb-001"]
    unit.scores = {"news2": None, "news2-at-least": None}
    refused = {"news2": {"code": "population", "made_for": ["adult"]}}
    unit.state |= {"population": {"name": "infant", "assumed": False}, "not_for": refused}
    page = open_page(serve(world), language="en")
    score = page.locator(".card .score")
    expect(score).to_have_text("NEWS2 not for infant: made for adult")
    page.locator(".language").click()
    expect(score).to_have_text("NEWS2 不适用于婴儿：仅用于成人")
    unit.scores |= {"pews": 3, "pews-at-least": 3}
    expect(score).to_contain_text("PEWS 3")
