"""An alert ecg-read beside earlier ECGs: what changed in each lead, and the beats laid over each other."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from gateway.api.serial_ecg import Serial
from tests.browser.alert_world import climbing, detail, st_why, tachycardia, threshold_why
from tests.browser.conftest import Open, Serve
from tests.browser.ecg_world import refused, serial, told
from tests.browser.feed_server import FeedServer
from tests.browser.world import SECOND, now_us

pytestmark = pytest.mark.server("chromium")

_INK = """
canvas => {
  const { width, height } = canvas;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  let ink = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i] > 0) ink++;
  return ink;
}
"""


def serve_reading(serve: Serve, made: Callable[[int], Serial] = serial) -> str:
    """A gateway with one alert ecg-read; ``made``: the ECGs of the time it was raised."""
    world = FeedServer(4)
    alert = climbing(1, "amb-002", now_us() - 60 * SECOND, rule="ecg-read", ladder="ambulance-medium", state="latched")
    world.alerts[alert["id"]] = alert
    world.details[alert["id"]] = detail(alert, st_why(alert["raised_at"]))
    world.serial["amb-002"] = told(made(alert["raised_at"]))
    return serve(world)


def row(page: Page, lead: str) -> Locator:
    return page.locator(f".serial-levels tr[data-lead='{lead}'] td")


def test_what_grew_on_the_way_is_marked_lead_by_lead(serve: Serve, open_page: Open) -> None:
    page = open_page(serve_reading(serve), path="/alerts/alert-1", language="en")
    heads = page.locator(".serial-levels thead th")
    expect(heads).to_have_count(6)
    for at, text in enumerate(("Lead", "This one", "Previous", "Previous", "First of the ride", "Prior")):
        expect(heads.nth(at)).to_contain_text(text)
    expect(heads.last).to_contain_text("kiosk-1")
    expect(page.locator(".serial-levels tbody tr")).to_have_count(14)
    two, five = row(page, "II"), row(page, "V5")
    expect(two.first).to_have_text("0.24")
    expect(two.nth(3).locator(".change")).to_have_text("▲+0.24")
    expect(row(page, "aVL").nth(3).locator(".change")).to_have_text("▼-0.12")
    expect(five.nth(3).locator(".change")).to_have_text("0.00")
    expect(page.locator(".serial-levels .figures").first.locator("td").first).to_have_text(re.compile(r"^7[1-4]$"))
    expect(page.locator(".serial .notice")).to_contain_text("does not diagnose: needs a physician")
    expect(page.locator(".serial .notice")).to_contain_text("0.05 mV or more")
    expect(page.locator(".serial-reserves li")).to_have_count(1)
    expect(page.locator(".serial-reserves")).to_contain_text("filters differ")


def test_beats_are_laid_over_the_one_that_is_chosen(serve: Serve, open_page: Open) -> None:
    page = open_page(serve_reading(serve), path="/alerts/alert-1")
    canvas = page.locator(".beat-sheet canvas.traces[data-drawn]")
    expect(page.locator(".serial .choice button[aria-pressed=true]")).to_contain_text("既往")
    expect(page.locator(".beat-sheet .lead")).to_have_count(12)
    over_prior, drawn = canvas.evaluate(_INK), canvas.get_attribute("data-drawn")
    assert over_prior > 2000
    page.locator(".serial .choice button").first.click()
    expect(canvas).not_to_have_attribute("data-drawn", drawn or "")
    expect(page.locator(".serial .choice button[aria-pressed=true]")).to_contain_text("前一次")
    assert canvas.evaluate(_INK) != over_prior


def test_no_prior_is_said_and_why(serve: Serve, open_page: Open) -> None:
    url = serve_reading(serve, lambda at: serial(at, prior=False))
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".serial-reserves")).to_contain_text("No ECG “Prior”: nobody is bound to the unit")
    expect(page.locator(".serial-reserves")).to_contain_text("it may be somebody else")
    expect(page.locator(".serial .choice button[aria-pressed=true]")).to_contain_text("First of the ride")


def test_ten_seconds_that_could_not_be_measured_say_why(serve: Serve, open_page: Open) -> None:
    url = serve_reading(serve, lambda at: serial(at, refused(at, "lead-off")))
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".serial-refused")).to_have_text("These 10 s could not be measured: an electrode was off")
    expect(row(page, "II").first).to_have_text("—")
    expect(row(page, "II").nth(3)).to_have_text("0.00")
    expect(page.locator(".beat-sheet")).to_have_count(0)


def test_no_other_alert_has_it(serve: Serve, open_page: Open) -> None:
    world = FeedServer(4)
    made = tachycardia(1, "amb-001")
    world.alerts["alert-1"] = made
    world.details["alert-1"] = detail(made, threshold_why(made["raised_at"]))
    page = open_page(serve(world), path="/alerts/alert-1")
    expect(page.locator(".evidence").first).to_be_visible()
    expect(page.locator(".serial")).to_have_count(0)


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [
        ((1366, 768), "dark", "zh"),
        ((1366, 768), "light", "en"),
        ((390, 844), "dark", "en"),
        ((390, 844), "light", "zh"),
    ],
)
def test_it_fits(
    serve: Serve, open_page: Open, screens: Path, size: tuple[int, int], theme: str, language: str
) -> None:
    url = serve_reading(serve)
    page = open_page(url, path="/alerts/alert-1", size=size, theme=theme, language=language)
    sheet = page.locator(".beat-sheet canvas.traces[data-drawn]")
    sheet.scroll_into_view_if_needed()
    expect(sheet).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box, room = sheet.bounding_box(), page.locator(".beats").bounding_box()
    assert box is not None
    assert room is not None
    assert box["width"] <= room["width"], "the paper needs no scrolling"
    page.locator(".serial").screenshot(path=screens / f"serial-{size[0]}-{theme}-{language}.png")
    page.screenshot(path=screens / f"serial-page-{size[0]}-{theme}-{language}.png")
