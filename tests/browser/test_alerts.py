"""Alerts: order, acknowledging, refusals, sound."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.world import SECOND, alert, now_us

pytestmark = pytest.mark.server("chromium")


def tachycardia(number: int, unit: str, *, priority: str = "high", seconds: int = 48) -> dict[str, object]:
    at = now_us() - seconds * SECOND
    figures = {"quantity": "heart-rate", "value": 152.0, "limit": 130.0}
    return alert(number, unit, at, rule="heart-rate-high", priority=priority, **figures)


def first_card(page: Page) -> str | None:
    return page.locator(".card").first.get_attribute("data-unit")


def test_what_needs_me_comes_first(serve: Serve, open_page: Open) -> None:
    world = FeedServer(9)
    page = open_page(serve(world))
    expect(page.locator(".card")).to_have_count(9)
    world.raise_alert(tachycardia(1, "amb-007", priority="medium"))
    expect(page.locator(".card").first).to_have_attribute("data-unit", "amb-007")
    world.raise_alert(tachycardia(2, "amb-009"))
    expect(page.locator(".card").first).to_have_attribute("data-unit", "amb-009")
    expect(page.locator(".card").nth(1)).to_have_attribute("data-unit", "amb-007")
    expect(page.locator(".counts b")).to_have_text(["1", "1", "0"])


def test_nothing_moves_under_the_pointer(serve: Serve, open_page: Open) -> None:
    world = FeedServer(6)
    page = open_page(serve(world))
    page.locator(".card").nth(1).hover()
    world.raise_alert(tachycardia(1, "amb-006"))
    expect(page.locator('.card[data-unit="amb-006"] .alert')).to_be_visible()
    expect(page.locator(".held")).to_be_visible()
    assert first_card(page) == "amb-001"
    page.locator(".held button").click()
    expect(page.locator(".card").first).to_have_attribute("data-unit", "amb-006")


def test_one_acknowledges_and_the_other_sees_it(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3)
    url = serve(world)
    li, wang = open_page(url, user="dr.li"), open_page(url, user="dr.wang")
    world.raise_alert(tachycardia(1, "amb-002"))
    expect(wang.locator(".alert .ack")).to_be_visible()
    li.locator(".alert .ack").click()
    for page in (li, wang):
        expect(page.locator(".alert")).to_contain_text("dr.li 于")
        expect(page.locator(".alert .ack")).to_have_count(0)
    assert world.acknowledged == [("alert-1", "dr.li")]


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [(403, "not-allowed", "您无权确认"), (409, "illegal-transition", "告警状态已变"), (500, "internal", "网关拒绝了")],
)
def test_a_refusal_is_shown_in_place(serve: Serve, open_page: Open, status: int, reason: str, words: str) -> None:
    world = FeedServer(2)
    page = open_page(serve(world))
    world.refuse = (status, reason, "why it was refused")
    world.raise_alert(tachycardia(1, "amb-001"))
    page.locator(".alert .ack").click()
    refusal = page.locator('[data-alert="alert-1"] .refusal')
    expect(refusal).to_contain_text(words)
    expect(refusal).to_contain_text("why it was refused")
    expect(page.locator(".alert .ack")).to_be_enabled()  # still waiting for somebody
    world.refuse = None
    page.locator(".alert .ack").click()
    expect(page.locator(".alert")).to_contain_text("demo 于")
    expect(refusal).to_have_count(0)


def test_no_answer_is_no_acknowledgement(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world))
    world.raise_alert(tachycardia(1, "amb-001"))
    expect(page.locator(".alert .ack")).to_be_visible()
    page.route("**/acknowledge", lambda route: route.abort())
    page.locator(".alert .ack").click()
    expect(page.locator(".refusal")).to_contain_text("没有应答")
    expect(page.locator(".alert .ack")).to_be_visible()


def test_key_a_acknowledges_a_medium_alert_at_once_and_a_high_one_when_selected(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world))
    page.locator(".card-link").click()
    world.raise_alert(tachycardia(1, "amb-001"))
    high = page.locator('[data-alert="alert-1"]')
    expect(high).to_be_visible()
    page.keyboard.press("a")
    expect(high).to_have_class(re.compile("selected"))
    expect(high).to_contain_text("再按 A")
    assert world.acknowledged == []
    page.keyboard.press("a")
    expect(high).to_contain_text("demo 于")
    world.raise_alert(alert(2, "amb-001", now_us(), rule="lead-off", priority="low"))
    expect(page.locator('[data-alert="alert-2"] .ack')).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator('[data-alert="alert-2"]')).to_contain_text("demo 于")


def test_on_the_board_keys_act_on_the_focused_card_only(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3)
    page = open_page(serve(world))
    world.raise_alert(tachycardia(1, "amb-002", priority="medium"))
    expect(page.locator(".card").first).to_have_attribute("data-unit", "amb-002")
    page.keyboard.press("a")  # nothing is focused
    page.keyboard.press("n")
    expect(page.locator('.card[data-unit="amb-002"] .card-link')).to_be_focused()
    assert world.acknowledged == []
    page.keyboard.press("a")
    expect(page.locator(".alert")).to_contain_text("demo 于")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/units/amb-002$"))
    page.keyboard.press("Escape")
    expect(page.locator(".board")).to_be_visible()


def test_a_high_alert_needs_the_person_known_within_five_minutes(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world), user="dr.li")
    page.evaluate("sessionStorage.setItem('lastmile.identified-at', '0')")
    world.raise_alert(tachycardia(1, "amb-001"))
    page.locator(".alert .ack").click()
    who = page.locator(".who")
    expect(who).to_be_visible()
    who.locator("input").fill("wrong")
    who.locator("[type=submit]").click()
    expect(who).to_contain_text("密码不正确")
    assert world.acknowledged == []
    who.locator("input").fill("li")
    who.locator("[type=submit]").click()
    expect(page.locator(".alert")).to_contain_text("dr.li 于")


def test_sound_needs_one_press_and_then_calls(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world))
    expect(page.locator(".sound-banner")).to_be_visible()
    page.locator(".sound-banner button").click()
    expect(page.locator(".sound-banner")).to_have_count(0)
    button = page.locator("[data-bursts]")
    expect(button).to_have_attribute("data-bursts", "0")
    world.raise_alert(tachycardia(1, "amb-001"))
    expect(button).to_have_attribute("data-bursts", "1")
    button.click()
    expect(page.locator(".sound-banner")).to_contain_text("静音")


def test_a_board_says_whether_it_can_be_heard(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    page = open_page(serve(world))
    silent = world.sounds.get(timeout=10)
    assert silent["board"] is True
    assert silent["silent_ms"] >= 0, "nobody has pressed yet"
    page.locator(".sound-banner button").click()
    assert world.sounds.get(timeout=10)["silent_ms"] is None
    page.locator("[data-bursts]").click()
    assert world.sounds.get(timeout=10)["silent_ms"] >= 0, "it is muted"
    page.locator(".top nav a[href='/fleet']").click()
    assert world.sounds.get(timeout=10)["board"] is False, "somebody works at it"


def test_the_list_of_alerts_names_the_unit_and_leads_to_it(serve: Serve, open_page: Open) -> None:
    world = FeedServer(3)
    page = open_page(serve(world))
    world.raise_alert(tachycardia(1, "amb-003"))
    page.locator(".top nav a[href='/alerts']").click()
    expect(page.locator(".alert-list .alert")).to_have_count(1)
    page.locator(".alert-list .alert .where a").click()
    expect(page.locator(".unit-head h1")).to_have_text("AMB-003")
