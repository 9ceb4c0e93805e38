"""What the page says about its link and the age of what it shows."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer

pytestmark = [pytest.mark.server("chromium"), pytest.mark.slow]

SOON = 5_000  # ms: stale data must be visibly stale by then
BACK = 15_000


def card(page: Page, unit: str) -> str:
    return f'.card[data-unit="{unit}"]'


def test_a_cut_link_is_stale_within_five_seconds_and_comes_back(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3)
    page = open_page(serve(world))
    expect(page.locator("[data-link=live]")).to_be_visible()
    first = len(world.subscriptions)
    world.cut_link()
    expect(page.locator("[data-link=stale]")).to_be_visible(timeout=SOON)
    expect(page.locator(f"{card(page, 'amb-001')} .small-vital.stale").first).to_be_visible(timeout=SOON)
    expect(page.locator(f"{card(page, 'amb-001')} .card-note")).to_contain_text("过时")
    world.restore()
    expect(page.locator("[data-link=live]")).to_be_visible(timeout=BACK)
    expect(page.locator(".small-vital.stale")).to_have_count(0)
    assert world.subscriptions[first]["since"] is not None, "resumes after the last message it had"


def test_a_half_open_link_is_stale_within_five_seconds(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3)
    page = open_page(serve(world))
    world.silent = True
    expect(page.locator("[data-link=stale]")).to_be_visible(timeout=SOON)
    world.restore()
    expect(page.locator("[data-link=live]")).to_be_visible(timeout=BACK)


def test_one_silent_unit_is_stale_alone(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3)
    page = open_page(serve(world))
    world.silent_units.add("amb-002")
    stale = page.locator(f"{card(page, 'amb-002')} .small-vital.stale")
    expect(stale).to_have_count(4, timeout=SOON)  # all but the blood pressure, which is expected every 5 minutes
    expect(page.locator(f"{card(page, 'amb-002')} .card-note")).to_contain_text("过时")
    expect(page.locator(f"{card(page, 'amb-001')} .small-vital.stale")).to_have_count(0)
    expect(page.locator("[data-link=live]")).to_be_visible()


def test_numbers_in_the_unit_view_grow_old_and_are_never_zero(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["amb-001"].values["spo2"] = None
    url = serve(world)
    page = open_page(url)
    page.locator(".card-link").click()
    spo2 = page.locator("[data-quantity=spo2]")
    expect(spo2.locator(".number")).to_have_text("—")
    expect(spo2.locator(".note")).to_contain_text("设备测不到")
    world.silent_units.add("amb-001")
    hr = page.locator("[data-quantity=heart-rate]")
    expect(hr).to_have_class(re.compile("stale"), timeout=SOON)
    expect(hr.locator(".note")).to_contain_text("过时")
    expect(page.locator(".no-signal")).to_contain_text("心电中断", timeout=SOON)


def test_says_how_far_it_is_behind(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3, lag=8_000_000)
    page = open_page(serve(world))
    expect(page.locator("[data-link=catching-up]")).to_contain_text("8 秒")
    world.lag = 10_000
    expect(page.locator("[data-link=live]")).to_be_visible(timeout=SOON)
    world.change_unit("amb-003", outbox_records=1234)
    expect(page.locator(f"{card(page, 'amb-003')} .card-note")).to_contain_text("1,234")


def test_a_reload_stays_signed_in_on_the_same_page(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(FeedServer(2)))
    page.locator(".card-link").nth(1).click()
    expect(page).to_have_url(re.compile("/units/amb-002$"))
    page.reload()
    expect(page.locator(".unit-head h1")).to_have_text("AMB-002")
    expect(page.locator("[data-link=live]")).to_be_visible()


def test_a_session_that_ended_leads_to_the_login(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world))
    world.sessions.clear()
    world.do(world.close_screens)
    expect(page.locator("form [name=username]")).to_be_visible(timeout=BACK)


def test_frames_a_slow_screen_lost_are_named(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world))
    page.locator(".card-link").click()
    expect(page.locator(".traces").first).to_be_visible()
    world.say({"type": "dropped", "unit": "amb-001", "frames": 7})
    expect(page.locator(".imprint")).to_contain_text("丢弃 7 帧")
