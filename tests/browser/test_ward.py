"""The ward page: beds and kiosks as they stand, and commands that are done only when the bed says so."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.ward_world import HOUR, bed, bed_state, command, happened, lying, sitting, station
from tests.browser.world import MINUTE, alert, now_us

pytestmark = pytest.mark.server("chromium")


def world(beds: int = 3, *, kiosks: int = 1) -> FeedServer:
    """A ward, and one ambulance that does not belong there."""
    made = FeedServer(1)
    for number in range(1, beds + 1):
        made.units[f"bed-{number:03d}"] = bed(number)
    for number in range(1, kiosks + 1):
        kiosk = station("health-kiosk", number, {})
        made.units[kiosk.id] = kiosk
    return made


def tile(page: Page, unit: str) -> Locator:
    return page.locator(f".tile[data-unit={unit}]")


def open_form(page: Page, unit: str, reason: str = "turned to the left side") -> Locator:
    """Chooses another mode for the unit's mattress and says why; the next press of the primary button confirms."""
    tile(page, unit).locator(".set-mattress").click()
    form = tile(page, unit).locator("form.order")
    form.locator("select").select_option("static")
    form.locator("input").fill(reason)
    form.locator("button.primary").click()
    return form


def test_a_ward_shows_its_beds_and_kiosks_and_no_ambulances(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(world()), path="/ward")
    expect(page.locator(".tile")).to_have_count(4)
    expect(tile(page, "bed-001")).to_contain_text("王建国")
    expect(tile(page, "bed-001")).to_contain_text("4.1 / 4.0 kPa")
    page.goto(page.url.replace("/ward", "/"))
    expect(page.locator(".card")).to_have_count(1)


def test_whether_somebody_is_in_bed_is_never_guessed(serve: Serve, open_page: Open) -> None:
    made = world()
    made.happened["bed-002"] = [
        {key: value for key, value in bed_state("bed-002", occupied=True).items() if key not in {"type", "unit"}}
    ]
    page = open_page(serve(made), path="/ward")
    expect(tile(page, "bed-001").locator(".bed-glyph.unknown")).to_be_visible()
    expect(tile(page, "bed-002").locator(".bed-glyph.in")).to_be_visible()
    made.say(happened("bed-002", "bed-exit", {}, device="sensor"))
    expect(tile(page, "bed-002").locator(".bed-glyph.out")).to_be_visible()
    made.say(bed_state("bed-001", occupied=True, rail_left_up=False))
    expect(tile(page, "bed-001").locator(".warn")).to_have_text("护栏放下")


def test_a_command_is_done_only_when_the_device_reads_back(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/ward", language="en")
    form = open_form(page, "bed-001")
    expect(form).to_contain_text("BED-001")
    expect(form).to_contain_text("static")
    assert made.commanded == [], "a first press only says what will happen"
    form.locator("button.primary").click()
    note = tile(page, "bed-001").locator("[data-command]")
    expect(note).to_have_attribute("data-command", "requested")
    sent = {"device": "mattress", "name": "set-mattress-mode", "arguments": {"mode": "static"}}
    assert made.commanded == [{**sent, "reason": "turned to the left side"}]
    made.say({"type": "command", "command": command("bed-001", "sent")})
    expect(note).to_have_attribute("data-command", "sent")
    made.say({"type": "command", "command": command("bed-001", "accepted", result={"mode": "static"})})
    expect(note).to_contain_text("reads back the same")
    made.say({"type": "command", "command": command("bed-001", "sent")})
    made.say(bed_state("bed-002", occupied=True))
    expect(tile(page, "bed-002").locator(".bed-glyph.in")).to_be_visible()
    expect(note).to_have_attribute("data-command", "accepted")  # an older word changes nothing


def test_what_the_device_refuses_is_said_in_words(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/ward", language="en")
    open_form(page, "bed-001").locator("button.primary").click()
    made.say({"type": "command", "command": command("bed-001", "refused", refusal="local-only")})
    expect(tile(page, "bed-001").locator("[data-command=refused]")).to_contain_text("only at the bedside")


def test_a_command_of_which_nobody_knows_is_not_called_undone(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/ward", language="en")
    open_form(page, "bed-001").locator("button.primary").click()
    made.say({"type": "command", "command": command("bed-001", "refused", refusal="no-answer")})
    expect(tile(page, "bed-001").locator("[data-command]")).to_contain_text("part of it may be done")


def test_a_device_in_service_speaks_for_nobody(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/ward")
    expect(tile(page, "bed-001")).to_contain_text("61")
    said = {"unit": "bed-001", "device": "sensor", "at": now_us(), "received_at": now_us(), "late": False}
    made.silent_units.add("bed-001")
    said |= {"derived": False, "test": False, "service": True, "values": {"heart-rate": 199}}
    made.say({"type": "observations", **said})
    made.change_unit("bed-001", service=["sensor"])
    expect(tile(page, "bed-001").locator(".in-service")).to_contain_text("sensor")
    expect(tile(page, "bed-001")).not_to_contain_text("199")


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [(403, "forbidden", "may not command"), (409, "command-open", "Not taken")],
)
def test_what_the_gateway_refuses_stays_in_the_form(
    serve: Serve, open_page: Open, status: int, reason: str, words: str
) -> None:
    made = world()
    made.refuse = (status, reason, "no")
    page = open_page(serve(made), path="/ward", language="en", user="guest")
    form = open_form(page, "bed-001")
    form.locator("button.primary").click()
    expect(form.locator("[role=alert]")).to_contain_text(words)
    assert made.commanded == []


def test_two_people_see_one_command(serve: Serve, open_page: Open) -> None:
    made = world()
    url = serve(made)
    one, other = (open_page(url, path="/ward", user=name) for name in ("dr.li", "dr.wang"))
    open_form(one, "bed-002").locator("button.primary").click()
    for page in (one, other):
        expect(tile(page, "bed-002").locator("[data-command=requested]")).to_contain_text("dr.li")


def test_without_a_reason_nothing_goes_out(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/ward")
    form = open_form(page, "bed-001", reason="")
    expect(form.locator("input")).to_be_visible()
    assert made.commanded == []


def test_a_tile_says_when_to_turn_somebody_and_what_presses_most(serve: Serve, open_page: Open) -> None:
    made = world()
    lain = {"bed-001": (0.5, 0.2), "bed-002": (1.9, 0.6), "bed-003": (2.5, 1.1)}  # hours, share of the dose
    for unit, (hours, share) in lain.items():
        made.lying[unit] = lying(now_us() - round(hours * HOUR), share=share, unknown=25 * MINUTE)
    page = open_page(serve(made), path="/ward", language="en")
    for unit, turn, percent in (("bed-001", "resting", 20), ("bed-002", "due-soon", 60), ("bed-003", "overdue", 110)):
        expect(tile(page, unit).locator(f"[data-turn={turn}]")).to_be_visible()
        expect(tile(page, unit).locator(".dose")).to_contain_text(f"Pelvis, middle {percent}% of its limit")
        expect(tile(page, unit).locator(".dose")).to_contain_text("25 min of it unknown")
    expect(tile(page, "bed-003").locator(".turn")).to_contain_text("overdue by 30 min")
    expect(tile(page, "bed-001").locator(".dose")).not_to_contain_text("no map")
    made.do(lambda: made.tell_lying("bed-001", lying(now_us() - 3 * HOUR, share=0.3, silent=7 * MINUTE)))
    expect(tile(page, "bed-001").locator("[data-turn=overdue]")).to_be_visible()
    expect(tile(page, "bed-001").locator(".dose")).to_contain_text("no map for 7 min")


def test_a_relieved_patient_a_silent_mat_and_an_empty_bed_look_different(serve: Serve, open_page: Open) -> None:
    made = world()
    made.lying["bed-001"] = lying(now_us() - HOUR)
    made.lying["bed-002"] = lying(now_us() - HOUR, silent=9 * MINUTE)
    made.lying["bed-003"] = lying(None, stopped="empty")
    page = open_page(serve(made), path="/ward", language="en")
    expect(tile(page, "bed-001").locator(".dose")).to_contain_text("none that lasts")
    expect(tile(page, "bed-002").locator(".dose")).to_contain_text("no map for 9 min")
    expect(tile(page, "bed-003").locator("[data-turn=stopped]")).to_contain_text("nobody on the mat")


def test_a_turn_takes_two_presses_and_begins_the_clock_anew(serve: Serve, open_page: Open) -> None:
    made = world()
    made.lying["bed-001"] = lying(now_us() - 3 * HOUR, share=0.5)
    page = open_page(serve(made), path="/ward", language="en")
    shown = tile(page, "bed-001").locator(".lying")
    shown.locator("button.turned").click()
    assert made.turned == [], "a slip of the hand hides nobody who has lain too long"
    shown.locator("button.primary").click()
    expect(shown.locator("[data-turn=resting]")).to_be_visible()
    assert made.turned == [("bed-001", "demo")]


def test_what_is_proposed_moves_only_when_somebody_confirms(serve: Serve, open_page: Open, screens: Path) -> None:
    made = world()
    made.lying["bed-001"] = lying(now_us() - HOUR, share=1.02, proposed="dose")
    page = open_page(serve(made), path="/ward", language="en")
    offer = tile(page, "bed-001").locator("[data-proposal=dose]")
    expect(offer).to_contain_text("let the mattress alternate: Pelvis, middle: 2448 kPa·min, its limit is reached")
    page.screenshot(path=screens / "ward-proposal.png")
    offer.locator("button.look").click()
    form = tile(page, "bed-001").locator("form.order")
    expect(form).to_contain_text("static to alternating")
    assert made.confirmed == []
    page.screenshot(path=screens / "ward-proposal-form.png")
    form.locator("button.primary").click()
    expect(tile(page, "bed-001").locator("[data-command=requested]")).to_contain_text("alternating")
    expect(offer).to_contain_text("confirmed by demo")
    [(unit, _, reason)] = made.confirmed
    assert unit == "bed-001"
    assert "2448" in reason


def test_a_proposal_that_has_lapsed_is_said_so_in_the_form(serve: Serve, open_page: Open) -> None:
    made = world()
    made.lying["bed-001"] = lying(now_us() - HOUR, share=1.02, proposed="dose")
    page = open_page(serve(made), path="/ward", language="en")
    tile(page, "bed-001").locator("button.look").click()
    made.refuse = (409, "proposal-lapsed", "what it was based on is over")
    form = tile(page, "bed-001").locator("form.order")
    form.locator("button.primary").click()
    expect(form.locator("[role=alert]")).to_contain_text("what it was based on is over")
    assert made.confirmed == []


def test_who_may_not_turn_or_command_is_offered_neither(serve: Serve, open_page: Open) -> None:
    made = world()
    made.lying["bed-001"] = lying(now_us() - HOUR, share=1.02, proposed="dose")
    page = open_page(serve(made), path="/ward", user="ops.li")
    expect(tile(page, "bed-001").locator("[data-proposal=dose]")).to_be_visible()
    expect(tile(page, "bed-001").locator("button.look, button.turned")).to_have_count(0)


def test_a_kiosk_shows_who_measures_and_who_did_before(serve: Serve, open_page: Open) -> None:
    made = world()
    made.units["kiosk-001"].state["subject"] = {"id": "p-2", "name": "李秀英", "sex": "female", "age": 71}
    made.sittings["kiosk-001"] = [
        sitting(2, ago=2, ended=False, values={"bp-systolic": 151, "bp-diastolic": 88}),
        sitting(1, ago=30, ended=True, values={"glucose": 6.4}),
    ]
    page = open_page(serve(made), path="/ward")
    kiosk = tile(page, "kiosk-001")
    expect(kiosk.locator(".present")).to_contain_text("李秀英")
    expect(kiosk.locator(".present")).to_contain_text("151")
    expect(kiosk.locator(".sitting").nth(1)).to_contain_text("6.4")


def test_a_name_stands_only_over_the_readings_of_that_person(serve: Serve, open_page: Open) -> None:
    made = world()
    made.units["kiosk-001"].state["subject"] = {"id": "p-9", "name": "李秀英", "sex": "female", "age": 71}
    made.sittings["kiosk-001"] = [sitting(2, ago=2, ended=False, values={"bp-systolic": 190})]
    page = open_page(serve(made), path="/ward")
    expect(tile(page, "kiosk-001").locator(".present")).to_contain_text("p-2")
    expect(tile(page, "kiosk-001").locator(".present")).not_to_contain_text("李秀英")


def test_what_was_not_heard_while_the_link_was_cut_is_asked_for(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/ward")
    made.say(bed_state("bed-001", occupied=True))
    expect(tile(page, "bed-001").locator(".bed-glyph.in")).to_be_visible()
    made.cut_link()
    gone = bed_state("bed-001", occupied=False)
    made.happened["bed-001"] = [{key: value for key, value in gone.items() if key not in {"type", "unit"}}]
    made.forget_history()
    made.restore()
    expect(tile(page, "bed-001").locator(".bed-glyph.out")).to_be_visible(timeout=20_000)


def test_the_bed_that_calls_comes_first_and_is_acknowledged_there(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/ward")
    raised = alert(1, "bed-003", now_us(), rule="heart-rate-low", priority="medium")
    made.raise_alert(raised)
    expect(page.locator(".tile").first).to_have_attribute("data-unit", "bed-003", timeout=15_000)
    tile(page, "bed-003").locator("button.ack").click()
    expect(tile(page, "bed-003").locator(".alert.acknowledged")).to_be_visible()
    assert made.acknowledged == [(raised["id"], "demo")]


def test_old_numbers_look_old(serve: Serve, open_page: Open) -> None:
    made = world()
    made.silent_units.add("bed-001")
    for latest in made.units["bed-001"].state["latest"].values():
        latest["at"] = latest["received_at"] = now_us() - 10 * MINUTE
    page = open_page(serve(made), path="/ward")
    expect(tile(page, "bed-001").locator(".small-vital.stale").first).to_be_visible()
    expect(tile(page, "bed-002").locator(".small-vital.stale")).to_have_count(0)


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [
        ((1366, 768), "dark", "zh"),
        ((1366, 768), "light", "en"),
        ((1920, 1080), "dark", "en"),
        ((390, 844), "light", "zh"),
    ],
)
def test_forty_tiles_and_a_cut_link(
    serve: Serve, open_page: Open, screens: Path, size: tuple[int, int], theme: str, language: str
) -> None:
    made = world(beds=36, kiosks=4)
    made.sittings["kiosk-001"] = [sitting(1, ago=3, ended=False, values={"bp-systolic": 131, "spo2": 97})]
    page = open_page(serve(made), path="/ward", size=size, theme=theme, language=language)
    expect(page.locator(".tile")).to_have_count(40)
    made.say(bed_state("bed-001", occupied=True))
    made.say(bed_state("bed-002", occupied=False, brake_set=False))
    expect(tile(page, "bed-002").locator(".bed-glyph.out")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing runs over the edge"
    page.screenshot(path=screens / f"ward-{size[0]}-{theme}-{language}.png")
    made.cut_link()
    expect(page.locator("[data-link=stale]")).to_be_visible(timeout=10_000)
    made.restore()
    expect(page.locator("[data-link=live]")).to_be_visible(timeout=20_000)
    expect(page.locator(".tile")).to_have_count(40)
