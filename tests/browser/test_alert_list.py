"""The list of alerts: order, filters in the address, keys, and rows that stay where the hand is."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.alert_world import climbing, tachycardia
from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.ward_world import bed
from tests.browser.world import MINUTE, SECOND, Alert, alert, now_us

pytestmark = pytest.mark.server("chromium")


def put(world: FeedServer, *alerts: Alert) -> None:
    world.alerts.update({one["id"]: one for one in alerts})


def rows(page: Page) -> list[str]:
    found: list[str] = page.locator(".listed").evaluate_all("rows => rows.map(row => row.dataset.alert)")
    return found


def mixed() -> FeedServer:
    """One alert of each kind of standing."""
    world, now = FeedServer(8), now_us()
    put(
        world,
        climbing(1, "amb-001", now - MINUTE, rule="spo2-low", ladder="ambulance-medium", quantity="spo2", value=88.0,
                 limit=90.0),
        tachycardia(2, "amb-002", seconds=20, reopened=2),
        tachycardia(3, "amb-003", seconds=90, state="acknowledged", acknowledged_by="dr.li", next_step_at=None,
                    acknowledged_at=now - 60 * SECOND),
        climbing(4, "amb-004", now - 5 * MINUTE, rule="spo2-low", ladder="ambulance-medium", next_step_at=None,
                 silenced_by="silence-4"),
        climbing(5, "amb-005", now - 2 * MINUTE, rule="heart-rate-high", ladder="ambulance-medium",
                 next_step_at=None, inhibited_by="alert-2"),
        alert(6, "amb-006", now - 9 * MINUTE, rule="lead-off", priority="low"),
        climbing(7, "amb-007", now - 30 * SECOND, rule="pause", state="latched"),
        alert(8, "", now, rule="canary-late", priority="high"),
    )  # fmt: skip
    return world


def test_ordered_by_priority_then_what_calls_then_the_longest_waiting(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(mixed()), path="/alerts")
    expect(page.locator(".listed")).to_have_count(8)
    assert rows(page) == [f"alert-{n}" for n in (7, 2, 8, 3, 1, 4, 5, 6)]


def test_a_row_says_what_where_whose_how_long_and_what_comes_next(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(mixed()), path="/alerts", language="en")
    row = page.locator("[data-alert=alert-2]")
    expect(row).to_contain_text("High")
    expect(row.locator("svg.shape.high path")).to_have_attribute("d", re.compile(r"L19 18H1z"))  # a triangle
    expect(row.locator(".rule")).to_have_text("Heart rate extremely high")
    expect(row.locator(".where")).to_contain_text("AMB-002")
    expect(row.locator(".where")).to_contain_text("李秀英 Female 71 y")
    expect(row.locator(".value")).to_contain_text("HR 152 /min")
    expect(row.locator(".value")).to_contain_text("limit 130")
    expect(row.locator(".state")).to_contain_text("nobody has it")
    expect(row.locator(".next")).to_have_text(re.compile(r"ED lead in 00:[0-3]\d"))
    expect(row.locator("time")).to_have_text(re.compile(r"00:[2-4]\d"))
    expect(row.locator(".reopened")).to_have_text("came again 2×")
    expect(page.locator("[data-alert=alert-3] .state")).to_contain_text("taken by dr.li")
    expect(page.locator("[data-alert=alert-4]")).to_contain_text("tells nobody")
    expect(page.locator("[data-alert=alert-8] .where")).to_have_text("Gateway")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("state=silenced", {4}),
        ("state=inhibited", {5}),
        ("state=latched", {7}),
        ("state=acknowledged", {3}),
        ("priority=high", {2, 3, 7, 8}),
        ("priority=medium&state=firing", {1, 4, 5}),
        ("unit=amb-001", {1}),
        ("mine=1", {3}),
    ],
)
def test_filters_of_the_address(serve: Serve, open_page: Open, asked: str, found: set[int]) -> None:
    page = open_page(serve(mixed()), path=f"/alerts?{asked}", user="dr.li")
    expect(page.locator(".listed")).to_have_count(len(found))
    assert set(rows(page)) == {f"alert-{n}" for n in found}


def test_a_filter_chosen_stands_in_the_address_and_survives_the_details(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(mixed()), path="/alerts")
    page.locator("select[name=priority]").select_option("medium")
    expect(page).to_have_url(re.compile(r"/alerts\?priority=medium$"))
    expect(page.locator(".listed")).to_have_count(3)
    page.locator("[data-alert=alert-1] .rule").click()
    expect(page).to_have_url(re.compile("/alerts/alert-1$"))
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/alerts\?priority=medium$"))
    page.reload()
    expect(page.locator(".listed")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator(".listed")).to_have_count(8)


def test_whose_board_is_mute_and_which_tag_has_left_is_said(serve: Serve, open_page: Open) -> None:
    world = FeedServer(2)
    put(
        world, alert(30, "amb-001", now_us(), rule="board-mute", priority="medium", subject="board/ward-3", device=None)
    )
    put(world, alert(31, "amb-002", now_us(), rule="tag-left", priority="medium", device="scanner-3",
                     subject="unit/amb-002/tag/5a1c:1:7"))  # fmt: skip
    page = open_page(serve(world), path="/alerts", language="en")
    expect(page.locator("[data-alert=alert-30]")).to_contain_text("Board is mute while a high alert calls")
    expect(page.locator("[data-alert=alert-30] .value")).to_have_text("ward-3")
    expect(page.locator("[data-alert=alert-31]")).to_contain_text("A tag has left by an exit")
    expect(page.locator("[data-alert=alert-31] .value")).to_have_text("scanner-3 · 5a1c:1:7")


def one_person() -> FeedServer:
    """Four alerts of one person, two of them at another unit, and one of somebody else between them."""
    world, now = FeedServer(3), now_us()
    whose: dict[str, Any] = {"group_key": "person/p-0"}
    put(
        world,
        tachycardia(1, "amb-001", **whose),
        climbing(2, "amb-001", now - 9 * MINUTE, rule="spo2-low", ladder="ambulance-medium", **whose),
        climbing(3, "amb-002", now - 8 * MINUTE, rule="resp-rate-high", ladder="ambulance-medium", **whose),
        alert(4, "amb-002", now - 7 * MINUTE, rule="lead-off", priority="low", **whose),
        climbing(5, "amb-003", now - 6 * MINUTE, rule="spo2-low", ladder="ambulance-medium"),
    )
    return world


def test_alerts_of_one_person_stand_beneath_the_gravest(serve: Serve, open_page: Open, screens: Path) -> None:
    page = open_page(serve(one_person()), path="/alerts", language="en")
    expect(page.locator(".listed")).to_have_count(2)
    assert rows(page) == ["alert-1", "alert-5"]
    expect(page.locator(".list-head")).to_contain_text("5 alerts")
    fold = page.locator("[data-alert=alert-1] .fold")
    expect(fold).to_have_accessible_name("3 more Medium 2 Low 1")
    expect(page.locator(".fold")).to_have_count(1)
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    assert rows(page) == ["alert-1", "alert-2", "alert-3", "alert-4", "alert-5"]
    page.screenshot(path=screens / "alerts-folded.png")
    page.locator("select[name=unit]").select_option("amb-002")
    expect(page.locator(".listed")).to_have_count(2)
    expect(page.locator(".fold")).to_have_count(0)


def test_keys_unfold_and_walk_through_what_is_beneath(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(one_person()), path="/alerts")
    expect(page.locator(".listed")).to_have_count(2)
    page.keyboard.press("n")
    page.keyboard.press("o")
    expect(page.locator(".listed")).to_have_count(5)
    page.keyboard.press("n")
    expect(page.locator("[data-alert=alert-2].selected.beneath")).to_be_visible()
    page.keyboard.press("o")
    expect(page.locator(".listed")).to_have_count(2)
    expect(page.locator("[data-alert=alert-1].selected")).to_be_visible()


def test_a_graver_alert_of_the_same_person_is_never_hidden(serve: Serve, open_page: Open) -> None:
    world = one_person()
    page = open_page(serve(world), path="/alerts")
    expect(page.locator(".listed")).to_have_count(2)
    world.alerts["alert-1"].update(state="acknowledged", acknowledged_by="dr.li", acknowledged_at=now_us())
    world.raise_alert(world.alerts["alert-1"] | {"updated_at": now_us()})
    expect(page.locator("[data-alert=alert-2]")).to_be_visible()  # it calls, and what it stood beneath does not
    page.locator("[data-alert=alert-5]").hover()
    before = rows(page)
    world.raise_alert(tachycardia(6, "amb-003", group_key="unit/amb-003"))
    expect(page.locator("[data-alert=alert-6]")).to_be_visible()
    assert rows(page) == [*before, "alert-6"]


def test_a_silent_home_is_to_be_called(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["bed-001"] = bed(1)
    put(world, alert(1, "bed-001", now_us(), rule="link-lost", priority="medium", device=None),
        alert(2, "amb-001", now_us(), rule="link-lost", priority="medium", device=None))  # fmt: skip
    page = open_page(serve(world), path="/alerts", language="en")
    expect(page.locator("[data-alert=alert-1] .value")).to_have_text("call the home")
    expect(page.locator("[data-alert=alert-2] .value")).to_have_text("")


def test_what_the_feed_does_not_hold_is_asked_for(serve: Serve, open_page: Open) -> None:
    world = mixed()
    world.pending = [alert(20, "amb-001", now_us() - 4 * SECOND, rule="resp-rate-high", priority="medium",
                           state="pending", quantity="resp-rate", value=None, limit=26)]  # fmt: skip
    over = tachycardia(21, "amb-002", seconds=600, state="resolved")
    put(world, over | {"resolved_at": over["raised_at"] + 100 * SECOND})
    page = open_page(serve(world), path="/alerts?state=pending", language="en")
    expect(page.locator(".listed")).to_have_count(1)
    expect(page.locator(".listed")).to_contain_text("Respiratory rate high")
    expect(page.locator(".listed .value")).to_contain_text("limit 26")
    expect(page.locator(".listed .ack")).to_have_count(0)
    world.pending = []
    expect(page.locator(".listed")).to_have_count(0, timeout=10_000)
    page.locator("select[name=state]").select_option("resolved")
    expect(page.locator(".listed time")).to_have_text("01:40")


def test_nothing_moves_or_goes_under_the_pointer(serve: Serve, open_page: Open) -> None:
    world = mixed()
    page = open_page(serve(world), path="/alerts")
    expect(page.locator(".listed")).to_have_count(8)
    page.locator("[data-alert=alert-1]").hover()
    before = rows(page)
    world.raise_alert(tachycardia(9, "amb-008", seconds=300))
    first = {**world.alerts["alert-7"], "state": "resolved", "resolved_at": now_us(), "updated_at": now_us()}
    world.raise_alert(first)
    expect(page.locator("[data-alert=alert-9]")).to_be_visible()
    expect(page.locator("[data-alert=alert-7].over")).to_be_visible()
    assert rows(page) == [*before, "alert-9"]
    page.locator(".held button").click()
    expect(page.locator(".listed").first).to_have_attribute("data-alert", "alert-9")
    assert "alert-7" not in rows(page)


def test_keys_walk_open_and_acknowledge(serve: Serve, open_page: Open) -> None:
    world = mixed()
    page = open_page(serve(world), path="/alerts")
    expect(page.locator(".listed")).to_have_count(8)
    page.keyboard.press("n")
    expect(page.locator("[data-alert=alert-7].selected")).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator("[data-alert=alert-6].selected")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("[data-alert=alert-6] .owner")).to_contain_text("demo 负责")
    page.keyboard.press("n")
    page.keyboard.press("a")
    expect(page.locator("[data-alert=alert-7]")).to_contain_text("再按 A")
    assert world.acknowledged == [("alert-6", "demo")]
    page.keyboard.press("Enter")
    expect(page.locator(".alert-page h1")).to_contain_text("心搏长间歇")


def test_the_second_who_acknowledges_is_told_who_has_it(serve: Serve, open_page: Open) -> None:
    world = FeedServer(2)
    put(world, tachycardia(1, "amb-001"))
    url = serve(world)
    page = open_page(url, path="/alerts", user="dr.wang", language="en")
    expect(page.locator(".listed .ack")).to_be_visible()

    def first() -> None:  # the other's word is on its way, and this screen has not heard it
        world.alerts["alert-1"].update(
            state="acknowledged", acknowledged_by="dr.li", acknowledged_at=now_us(), updated_at=now_us()
        )

    world.do(first)
    page.locator(".listed .ack").click()
    expect(page.locator(".refusal")).to_contain_text("dr.li took it at")
    expect(page.locator(".listed .owner")).to_contain_text("taken by dr.li")
    assert world.acknowledged == []


def test_a_role_that_may_not_is_told_so(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    put(world, tachycardia(1, "amb-001"))
    world.refuse = (403, "not-allowed", "ops may not acknowledge")
    page = open_page(serve(world), path="/alerts", user="ops.li", language="en")
    page.locator(".listed .ack").click()
    expect(page.locator(".refusal")).to_contain_text("You may not acknowledge this alert")
    expect(page.locator(".listed .ack")).to_be_enabled()


def test_an_alert_younger_than_this_page_has_the_gateways_words(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    put(world, alert(1, "amb-001", now_us(), rule="rule-of-tomorrow", priority="low"))
    page = open_page(serve(world), path="/alerts")
    expect(page.locator(".listed .rule")).to_have_text("明日规则")
    page.locator(".language").click()
    expect(page.locator(".listed .rule")).to_have_text("Tomorrow's rule")


def test_a_cut_link_keeps_the_list_and_says_so(serve: Serve, open_page: Open) -> None:
    world = mixed()
    page = open_page(serve(world), path="/alerts")
    expect(page.locator(".listed")).to_have_count(8)
    world.cut_link()
    expect(page.locator("[data-link=stale]")).to_be_visible(timeout=10_000)
    expect(page.locator(".listed")).to_have_count(8)
    page.locator("[data-alert=alert-1] .ack").click()
    expect(page.locator(".refusal")).to_be_visible()
    world.restore()
    expect(page.locator("[data-link=live]")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [
        ((1366, 768), "dark", "zh"),
        ((1366, 768), "light", "en"),
        ((1920, 1080), "light", "zh"),
        ((390, 844), "dark", "en"),
    ],
)
def test_forty_alerts_fit(
    serve: Serve, open_page: Open, screens: Path, size: tuple[int, int], theme: str, language: str
) -> None:
    world = FeedServer(40)
    put(world, *(tachycardia(n, f"amb-{n:03d}", seconds=10 + n) for n in range(1, 41)))
    page = open_page(serve(world), path="/alerts", size=size, theme=theme, language=language)
    expect(page.locator(".listed")).to_have_count(40)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = page.locator(".listed .cell, .listed time").evaluate_all(
        "cells => cells.filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert cut == 0
    page.screenshot(path=screens / f"alerts-{size[0]}-{theme}-{language}.png")
