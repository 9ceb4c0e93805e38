"""The fleet page: every device of the five families, found quickly."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.ward_world import bed, cared, station
from tests.browser.world import MINUTE, alert, now_us

pytestmark = pytest.mark.server("chromium")


def world(ambulances: int = 2) -> FeedServer:
    """Units of all five families."""
    made = FeedServer(ambulances)
    cold: dict[str, dict[str, float | None]] = {
        "cold": {"cargo-temperature-1": 4.2, "cargo-temperature-2": None},
        "gnss": {"latitude": 36.651, "longitude": 117.12},
    }
    more = [
        bed(1),
        station("health-kiosk", 1, {"cuff": {"bp-systolic": 128}}, site="city"),
        station("delivery-van", 1, cold, site="city"),
        station("beacon-site", 1, {}, site="city"),
    ]
    for unit in more:
        made.units[unit.id] = unit
    made.devices = [
        cared("bed-001", "mattress", "mattress", serial="SN-20418", calibration_due="2027-03-01"),
        cared("van-001", "cold", "cold_chain_logger", battery=12, link="silent", firmware="1.0"),
        cared("kiosk-001", "cuff", "blood_pressure_monitor", battery=80, link="disconnected", firmware="1.4",
              service={"mode": "cleaning", "reason": "", "started_by": "ops", "expires_at": now_us() + 30 * MINUTE}),
        cared("site-001", "scanner-1", "beacon_scanner", age=None, received_at=None, link=None),
    ]  # fmt: skip
    return made


def rows(page: Page) -> list[str]:
    found: list[str] = page.locator(".unit-row").evaluate_all("rows => rows.map(row => row.dataset.unit)")
    return found


def test_all_families_stand_there_with_their_devices(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(world()), path="/fleet", language="en")
    expect(page.locator(".unit-row")).to_have_count(6)
    assert rows(page) == ["amb-001", "amb-002", "site-001", "van-001", "kiosk-001", "bed-001"]
    cold = page.locator("[data-device='van-001/cold']")
    expect(cold).to_contain_text("4.2")
    expect(cold.locator("[data-quantity=cargo-temperature-2]")).to_contain_text("—")
    expect(cold.locator("td.tabular.trouble")).to_have_text("12 %")
    expect(page.locator("[data-device='bed-001/mattress']")).to_contain_text("SN-20418")
    expect(page.locator("[data-device='kiosk-001/cuff'] .in-service")).to_contain_text("Cleaning until")
    expect(page.locator("[data-device='site-001/scanner-1']")).to_be_visible()
    expect(page.locator("[data-unit=bed-001]")).to_contain_text("lastmile 0.1.0")


def test_a_device_has_its_link_and_firmware_or_is_said_to_have_none_that_is_known(
    serve: Serve, open_page: Open, screens: Path
) -> None:
    made = world()
    page = open_page(serve(made), path="/fleet", language="en")
    link, firmware = "td:nth-child(2)", "td:nth-child(6)"
    for device, said in {
        "van-001/cold": ("Silent", "1.0"), "kiosk-001/cuff": ("Not connected", "1.4"),
        "bed-001/mattress": ("Connected", "unknown"), "site-001/scanner-1": ("unknown", "unknown"),
        "van-001/gnss": ("unknown", "unknown"),
    }.items():  # fmt: skip
        row = page.locator(f"[data-device='{device}']")
        expect(row.locator(link)).to_have_text(said[0])
        expect(row.locator(firmware)).to_have_text(said[1])
    expect(page.locator("[data-device='van-001/cold'] td:nth-child(2).trouble")).to_be_visible()
    expect(page.locator("[data-device='kiosk-001/cuff'] td:nth-child(2).trouble")).to_have_count(0)
    page.screenshot(path=screens / "fleet-devices.png")
    made.devices[1]["link"] = "connected"
    expect(page.locator("[data-device='van-001/cold'] td:nth-child(2)")).to_have_text("Connected", timeout=15_000)


def test_filters_live_in_the_address(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(world()), path="/fleet")
    page.keyboard.press("/")
    page.keyboard.type("sn-204")
    expect(page.locator(".unit-row")).to_have_count(1)
    assert page.url.endswith("/fleet?q=sn-204")
    page.reload()
    expect(page.locator(".unit-row")).to_have_count(1)
    page.locator("input[type=search]").fill("")
    page.locator("select").first.select_option("delivery-van")
    expect(page.locator(".unit-row")).to_have_count(1)
    assert page.url.endswith("/fleet?kind=delivery-van")


def test_only_what_is_in_trouble(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/fleet?trouble=1")
    expect(page.locator(".unit-row")).to_have_count(3)
    made.raise_alert(alert(1, "bed-001", now_us(), rule="link-lost", priority="medium", device=None))
    expect(page.locator(".unit-row[data-unit=bed-001] .row-alert")).to_be_visible()
    made.change_unit("amb-001", gaps_open=3)
    expect(page.locator(".unit-row[data-unit=amb-001] .trouble")).to_have_text("3")


def test_a_van_has_a_page_without_ecg_paper(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(world()), path="/fleet")
    page.locator("[data-unit=van-001] a").click()
    expect(page.locator(".device-values")).to_contain_text("4.2")
    expect(page.locator("canvas.paper, .ecg")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(".fleet")).to_be_visible()


def test_a_list_that_cannot_be_read_is_said_to_be_old(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/fleet", language="en")
    expect(page.locator(".device-row").first).to_be_visible()
    made.cut_link()
    expect(page.locator("[data-link=stale]")).to_be_visible(timeout=10_000)
    expect(page.locator(".unit-row").first).to_contain_text("Not known")
    expect(page.locator("[data-device='bed-001/mattress'] td:nth-child(2)")).to_have_text("unknown")
    expect(page.get_by_text("could not be read")).to_be_visible(timeout=15_000)
    made.restore()
    expect(page.locator("[data-link=live]")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("could not be read")).to_be_hidden(timeout=15_000)


def test_two_people_filter_for_themselves(serve: Serve, open_page: Open) -> None:
    url = serve(world())
    one, other = open_page(url, path="/fleet?kind=ambulance", user="dr.li"), open_page(url, path="/fleet", user="guest")
    expect(one.locator(".unit-row")).to_have_count(2)
    expect(other.locator(".unit-row")).to_have_count(6)


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [
        ((1366, 768), "dark", "zh"),
        ((1366, 768), "light", "en"),
        ((1920, 1080), "dark", "en"),
        ((390, 844), "light", "zh"),
    ],
)
def test_forty_units_fit(
    serve: Serve, open_page: Open, screens: Path, size: tuple[int, int], theme: str, language: str
) -> None:
    page = open_page(serve(world(ambulances=36)), path="/fleet", size=size, theme=theme, language=language)
    expect(page.locator(".unit-row")).to_have_count(40)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the table scrolls inside"
    page.screenshot(path=screens / f"fleet-{size[0]}-{theme}-{language}.png")
