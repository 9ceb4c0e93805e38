"""The roster: who is on duty, where nobody is, shifts, ladders."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.alert_world import shift
from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer

pytestmark = pytest.mark.server("chromium")


def world(units: int = 2) -> FeedServer:
    """An ambulance site with a lead of two, a later desk, and a shift that is over."""
    made = FeedServer(units)
    made.shifts = [
        shift(1, "dr.li", "ed-lead", start=-3, end=2),
        shift(2, "dr.wang", "ed-lead", start=2, end=10),
        shift(3, "nurse.zhao", "nurse", start=-1, end=7, unit="amb-001"),
        shift(4, "dispatch.qian", "fleet-desk", start=3, end=11),
        shift(5, "dr.old", "ed-lead", start=-40, end=-30),
    ]
    return made


def test_who_is_on_duty_and_where_nobody_is(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(world()), path="/roster", language="en")
    lead = page.locator("[data-duty='city/ed-lead']")
    expect(lead).to_contain_text("dr.li")
    expect(lead).to_contain_text("until")
    expect(lead).not_to_contain_text("dr.old")
    expect(page.locator("[data-duty='city/nurse']")).to_contain_text("only AMB-001")
    gap = page.locator("[data-duty='city/fleet-desk'].gap")
    expect(gap).to_contain_text("Nobody on duty")
    expect(gap).to_contain_text("dispatch.qian from")
    expect(page.locator(".gaps")).to_have_text("Duties with nobody: 1")
    expect(page.locator("[data-shift]")).to_have_count(4)


def test_a_site_without_any_roster_asks_everybody_and_one_that_had_one_nobody(serve: Serve, open_page: Open) -> None:
    made = world()
    made.shifts = []
    page = open_page(serve(made), path="/roster", language="en")
    expect(page.locator("[data-duty='city/ed-lead']")).to_contain_text("every account of the role is asked")
    made.shifts = [shift(5, "dr.old", "ed-lead", start=-40, end=-30)]
    page.reload()
    expect(page.locator("[data-duty='city/ed-lead'].gap")).to_contain_text("Nobody on duty")


def test_a_shift_is_entered_and_taken_out(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/roster", user="ops.li", language="en")
    form = page.locator(".new-shift")
    form.locator("[name=account]").fill("nurse.sun")
    form.locator("[name=duty]").select_option("fleet-desk")
    form.locator("[type=submit]").click()
    expect(page.locator("[data-duty='city/fleet-desk']")).to_contain_text("nurse.sun")
    entered = made.shifts[-1]
    assert (entered["account"], entered["site"], entered["entered_by"]) == ("nurse.sun", "city", "ops.li")
    assert entered["end_at"] - entered["start_at"] == 8 * 3600 * 1_000_000
    row = page.locator(f"[data-shift={entered['id']}]")
    row.locator("button").click()
    expect(row).to_contain_text("nurse.sun will no longer be asked by this shift")
    row.get_by_role("button", name="Take it out").click()
    expect(row).to_have_count(0)
    expect(page.locator("[data-duty='city/fleet-desk'].gap")).to_be_visible()


def test_a_shift_that_ends_before_it_starts_does_not_go(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/roster", user="ops.li", language="en")
    page.locator("[name=account]").fill("nurse.sun")
    page.locator("[name=from]").fill("2026-03-02T08:00")
    page.locator("[name=to]").fill("2026-03-02T07:00")
    page.locator(".new-shift [type=submit]").click()
    expect(page.locator(".new-shift [role=alert]")).to_contain_text("within 36 hours")
    assert len(made.shifts) == 5


def test_a_refusal_is_told_in_place_and_who_may_not_is_not_asked(serve: Serve, open_page: Open) -> None:
    made = world()
    url = serve(made)
    page = open_page(url, path="/roster", user="ops.li", language="en")
    made.refuse = (403, "not-allowed", "not any more")
    page.locator("[name=account]").fill("nurse.sun")
    page.locator(".new-shift [type=submit]").click()
    expect(page.locator(".new-shift .refused")).to_contain_text("You may not do this (not any more)")
    doctor = open_page(url, path="/roster", user="dr.li", language="en")
    expect(doctor.locator("[data-shift]")).to_have_count(4)
    expect(doctor.locator(".new-shift, [data-shift] button")).to_have_count(0)


def test_ladders_of_each_setting(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(world()), path="/roster", language="en")
    high = page.locator("[data-ladder=ambulance-high]")
    expect(high.locator("ol li")).to_have_text(["at once crew · app", "after 60 s ED lead · call + SMS + app"])
    expect(page.locator("[data-ladder=home-high-closed]")).to_contain_text("outside hours")
    expect(page.locator(".ladders")).to_contain_text("Kiosk open 08:00–18:00")


def test_a_cut_link_is_said(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/roster", language="en")
    expect(page.locator("[data-shift]")).to_have_count(4)
    made.cut_link()
    expect(page.get_by_text("Could not be read")).to_be_visible(timeout=15_000)
    made.restore()
    expect(page.get_by_text("Could not be read")).to_be_hidden(timeout=20_000)


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [((1366, 768), "light", "zh"), ((1920, 1080), "dark", "zh"), ((390, 844), "dark", "en")],
)
def test_it_fits(
    serve: Serve, open_page: Open, screens: Path, size: tuple[int, int], theme: str, language: str
) -> None:
    made = world(40)
    made.shifts += [shift(10 + n, f"nurse.{n:02d}", "nurse", start=n, end=n + 8) for n in range(20)]
    page = open_page(serve(made), path="/roster", user="ops.li", size=size, theme=theme, language=language)
    expect(page.locator("[data-shift]")).to_have_count(24)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = page.locator(".roster :is(td, th, button, h2, h3, li, p)").evaluate_all(
        "all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
    )
    assert cut == 0
    page.screenshot(path=screens / f"roster-{size[0]}-{theme}-{language}.png")
