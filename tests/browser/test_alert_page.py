"""One alert in full: what made it, the signal, whom it told, and what somebody does about it."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.alert_world import (
    VERSION,
    climbing,
    detail,
    line,
    rhythm_why,
    st_finding,
    st_why,
    tachycardia,
    threshold_why,
    told,
)
from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.world import SECOND, Alert, alert, now_us

pytestmark = pytest.mark.server("chromium")

# Dark pixels per quarter of the ECG on the sheet: a trace is there, all along it.
_INK = """
canvas => {
  const { width, height } = canvas;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const quarters = [0, 0, 0, 0];
  for (let i = 3; i < data.length; i += 4)
    if (data[i] > 0) quarters[Math.floor(4 * ((i >> 2) % width) / width)]++;
  return quarters;
}
"""


def serve_one(serve: Serve, one: Alert, why: dict[str, Any], **more: Any) -> tuple[FeedServer, str]:
    """A gateway with one alert in full."""
    world = FeedServer(4)
    world.alerts[one["id"]] = one
    world.details[one["id"]] = detail(one, why, **more)
    return world, serve(world)


def vf(seconds: int = 14) -> tuple[Alert, dict[str, Any]]:
    made = climbing(1, "amb-003", now_us() - seconds * SECOND, rule="ventricular-fibrillation")
    return made, rhythm_why("ventricular-fibrillation", made["raised_at"])


def test_a_threshold_is_explained_with_its_values_and_their_course(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001", reopened=1)
    _, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".alert-page h1")).to_contain_text("Heart rate extremely high")
    expect(page.locator(".measured")).to_have_text("HR 152 /min")
    expect(page.locator(".notice")).to_have_text(
        "Assists, does not diagnose: needs a physician. Acknowledging here silences no bedside device."
    )
    facts = {
        "limit": "130", "for": "10 s", "population": "adult · age unknown: adult assumed", "rules_version": VERSION,
        "device": "monitor",
    }  # fmt: skip
    for name, text in facts.items():
        expect(page.locator(f"[data-fact={name}] dd")).to_have_text(text)
    chart = page.locator(".stretch-series")
    expect(chart.locator("path.values")).to_have_attribute("d", re.compile(r"^M[\d. ]+L"))
    expect(chart.locator("line.limit")).to_have_count(1)
    expect(chart.locator(".crossing svg.high")).to_be_visible()
    assert int(chart.get_attribute("data-points") or 0) > 60


def test_a_rhythm_is_shown_on_its_lead_with_the_crossing_marked(serve: Serve, open_page: Open) -> None:
    made, why = vf()
    _, url = serve_one(serve, made, why)
    page = open_page(url, path="/alerts/alert-1")
    sheet = page.locator(".stretch-ecg canvas.traces[data-drawn]")
    expect(sheet).to_be_visible()
    assert page.locator(".stretch-ecg").get_attribute("data-leads") == "II"
    expect(page.locator(".moment")).to_have_text(["开始", "触发"])
    began, raised = (page.locator(".moment").nth(n).bounding_box() for n in (0, 1))
    assert began is not None
    assert raised is not None
    assert raised["x"] - began["x"] == pytest.approx(4 * 25 * 3.78, abs=1.5)  # 4 s at 25 mm/s
    assert all(ink > 50 for ink in sheet.evaluate(_INK))


def test_signal_that_is_not_there_is_said_to_be_missing(serve: Serve, open_page: Open) -> None:
    made, why = vf()
    world, url = serve_one(serve, made, why)
    world.silent_waves.add("amb-003")
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".signal-box")).to_contain_text("No signal is stored for this time")


def test_a_12_lead_finding_names_leads_levels_cautions_and_requests(serve: Serve, open_page: Open) -> None:
    made = climbing(1, "amb-002", now_us() - 60 * SECOND, rule="ecg-read", ladder="ambulance-medium", state="latched")
    _, url = serve_one(serve, made, st_why(made["raised_at"]))
    page = open_page(url, path="/alerts/alert-1", language="en")
    reading = page.locator(".st-reading")
    expect(reading).to_contain_text("Meets published ST criteria, needs physician reading")
    expect(reading).to_contain_text("age unknown: lowest criterion used")
    met = [row.lead for row in st_finding().judged if row.met]
    expect(reading.locator("tr.met th")).to_have_text(met)
    expect(reading.locator("tr.met").first).to_contain_text("0.21")
    expect(reading).to_contain_text("inferior: II, III, aVF")
    expect(reading).to_contain_text("V3R, V4R · inferior ST elevation")
    expect(reading).to_contain_text("V7, V8, V9")
    expect(reading).to_contain_text("filter not stated")
    expect(page.locator(".stretch-ecg canvas.traces[data-drawn]")).to_be_visible()
    assert len((page.locator(".stretch-ecg").get_attribute("data-leads") or "").split()) == 12


def test_the_ladder_shows_what_was_done_and_what_did_not_arrive(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001", seconds=75, step=2, next_step_at=now_us() + 230 * SECOND)
    _, url = serve_one(serve, made, threshold_why(made["raised_at"]), notifications=told(made))
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".step.done")).to_have_count(2)
    second = page.locator(".step").nth(1)
    expect(second).to_contain_text("ED lead · call + SMS + app")
    expect(second.locator(".delivery.dead")).to_have_text("dr.li · call · NOT delivered · attempt 6 · HTTP 503")
    expect(second.locator(".delivery.sent").nth(1)).to_contain_text("dr.li · sms · sent")
    expect(page.locator(".remind")).to_contain_text(re.compile(r"next in 03:[45]\d"))


def test_acknowledging_ends_the_ladder_and_the_other_sees_it_live(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001", seconds=20)
    world, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    li = open_page(url, path="/alerts/alert-1", user="dr.li", language="en")
    wang = open_page(url, path="/alerts/alert-1", user="dr.wang", language="en")
    expect(wang.locator(".step.next")).to_contain_text("ED lead")
    li.keyboard.press("a")
    expect(li.locator(".alert-head")).to_contain_text("Press A again")
    li.keyboard.press("a")
    for page in (li, wang):
        expect(page.locator(".head-state .owner")).to_contain_text("Acknowledged by dr.li")
        expect(page.locator(".step.next")).to_have_count(0)
        expect(page.locator(".history .acknowledge")).to_contain_text("dr.li")
        expect(page.locator(".alert-head .ack")).to_have_count(0)
    assert world.acknowledged == [("alert-1", "dr.li")]


def test_the_second_is_told_who_has_it(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001")
    world, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    page = open_page(url, path="/alerts/alert-1", user="dr.wang")
    expect(page.locator(".alert-head .ack")).to_be_visible()
    taken = {"state": "acknowledged", "acknowledged_by": "dr.li", "acknowledged_at": now_us()}
    page.route("**/api/v1/alerts/alert-1", lambda route: route.abort())  # only the refusal will say it
    page.locator(".alert-head .ack").wait_for()
    world.do(lambda: made.update(taken, updated_at=now_us()))
    page.unroute("**/api/v1/alerts/alert-1")
    page.locator(".alert-head .ack").click()
    expect(page.locator(".alert-head .refusal, .head-state .owner").filter(has_text="dr.li").first).to_be_visible()
    expect(page.locator(".refusal")).to_contain_text("dr.li 已于")


def test_silencing_needs_a_reason_says_what_happens_and_can_be_ended(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001")
    world, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    page = open_page(url, path="/alerts/alert-1", language="en")
    page.get_by_text("Silence this alert").click()
    form = page.locator("form.silence")
    expect(form).to_contain_text("No bedside device is silenced")
    form.locator("[type=submit]").click()
    assert world.silences == []  # without a reason the form does not go
    form.locator("select").select_option("60")
    form.locator("[name=reason]").fill("known since the morning")
    form.locator("[type=submit]").click()
    on = page.locator(".silence.on")
    expect(on).to_contain_text("Silenced by demo until")
    expect(on).to_contain_text("known since the morning")
    assert world.silences[0]["expires_at"] - world.silences[0]["created_at"] == 3600 * SECOND
    expect(page.locator(".history .silence")).to_be_visible()
    expect(page.locator(".step.stopped")).to_contain_text("muted")
    on.locator("button").click()
    expect(page.locator(".silence.on")).to_have_count(0)
    assert world.silences == []


def test_a_lethal_alert_offers_no_silence(serve: Serve, open_page: Open) -> None:
    made, why = vf()
    _, url = serve_one(serve, made, why)
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.get_by_text("A lethal alert cannot be silenced")).to_be_visible()
    expect(page.locator("form.silence, .fold")).to_have_count(0)


def test_useful_or_not_with_a_reason(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001")
    world, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    page = open_page(url, path="/alerts/alert-1", user="dr.li", language="en")
    judging = page.locator(".judging")
    judging.get_by_role("button", name="Not useful").click()
    judging.locator("[name=reason]").fill("artefact while turning")
    world.refuse = (403, "not-allowed", "not this role")
    judging.locator("[type=submit]").click()
    expect(judging.locator(".refused")).to_contain_text("You may not do this")
    world.refuse = None
    judging.locator("[type=submit]").click()
    expect(judging.locator(".said")).to_contain_text("Not useful dr.li")
    expect(judging.locator(".said")).to_contain_text("artefact while turning")
    assert [row["useful"] for row in world.details["alert-1"]["feedback"]] == [False]


def test_who_may_not_silence_or_judge_is_offered_neither(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001")
    _, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    page = open_page(url, path="/alerts/alert-1", user="guest")
    expect(page.locator(".step")).to_have_count(2)
    expect(page.locator(".fold, form.silence, .judging button")).to_have_count(0)


def test_what_inhibits_it_is_named_and_leads_there(serve: Serve, open_page: Open) -> None:
    made = tachycardia(2, "amb-001", inhibited_by="alert-1", next_step_at=None)
    world, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    world.alerts["alert-1"] = alert(1, "amb-001", now_us() - 60 * SECOND, rule="lead-off", priority="low")
    page = open_page(url, path="/alerts/alert-2", language="en")
    page.locator(".inhibited a").click()
    expect(page.locator(".alert-page h1")).to_contain_text("Lead off")
    expect(page.locator(".signal-box")).to_contain_text("No stretch of signal")


def test_an_alert_that_is_over_or_unknown(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001", state="resolved", resolved_at=now_us())
    world, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    world.details["alert-1"]["history"].append(line(now_us(), "clear", "resolved"))
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".head-state")).to_contain_text("Resolved")
    expect(page.locator(".history .clear")).to_be_visible()
    expect(page.locator(".alert-head .ack, .fold")).to_have_count(0)
    page.goto(f"{url}/alerts/alert-99")
    expect(page.locator(".empty")).to_contain_text("There is no such alert")


def test_a_cut_link_keeps_what_was_read_and_says_so(serve: Serve, open_page: Open) -> None:
    made = tachycardia(1, "amb-001")
    world, url = serve_one(serve, made, threshold_why(made["raised_at"]))
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".stretch-series")).to_be_visible()
    world.cut_link()
    expect(page.locator("[data-link=stale]")).to_be_visible(timeout=10_000)
    expect(page.get_by_text("Could not be read")).to_be_visible(timeout=15_000)
    expect(page.locator(".stretch-series")).to_be_visible()
    world.restore()
    expect(page.get_by_text("Could not be read")).to_be_hidden(timeout=20_000)


LOOKS = [
    ((1366, 768), "dark", "zh"),
    ((1366, 768), "light", "en"),
    ((1920, 1080), "dark", "en"),
    ((390, 844), "light", "zh"),
]


def overflow(page: Page) -> list[str]:
    """Texts that reach beyond the window, or are cut where nothing scrolls."""
    found: list[str] = page.locator(".alert-page :is(p, h1, h2, dd, dt, li, td, th, button, strong)").evaluate_all(
        """all => all.filter(e => {
             const r = e.getBoundingClientRect(), scrolls = e.closest('.frozen, .raw, .serial-scroll');
             return r.width > 0 && !scrolls && (r.right > innerWidth + 1 || r.left < -1);
           }).map(e => e.textContent.slice(0, 40))"""
    )
    return found


@pytest.mark.parametrize(("size", "theme", "language"), LOOKS)
def test_every_kind_fits(
    serve: Serve, open_page: Open, screens: Path, size: tuple[int, int], theme: str, language: str
) -> None:
    world = FeedServer(40)
    heart, (flutter, why) = tachycardia(4, "amb-001", seconds=75, step=2, reopened=2), vf()
    read = climbing(2, "amb-002", now_us() - 60 * SECOND, rule="ecg-read", ladder="ambulance-medium", state="latched")
    for one, made in ((heart, threshold_why(heart["raised_at"])), (flutter, why), (read, st_why(read["raised_at"]))):
        world.alerts[one["id"]] = one
        world.details[one["id"]] = detail(one, made, notifications=told(one) if one is heart else [])
    url = serve(world)
    page = open_page(url, size=size, theme=theme, language=language)
    for number, signal in ((4, ".stretch-series"), (1, "canvas.traces[data-drawn]"), (2, ".st-reading")):
        page.goto(f"{url}/alerts/alert-{number}")
        expect(page.locator(signal).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert overflow(page) == []
        page.screenshot(path=screens / f"alert-{number}-{size[0]}-{theme}-{language}.png")


def test_a_silent_home_is_to_be_called(serve: Serve, open_page: Open) -> None:
    made = alert(1, "amb-001", now_us(), rule="link-lost", priority="medium", device=None)
    _, url = serve_one(serve, made, {"channel": None, "since": made["raised_at"], "task": "call-home"})
    page = open_page(url, path="/alerts/alert-1", language="en")
    expect(page.locator(".measured")).to_have_text("call the home")
    expect(page.locator("[data-fact=task] dd")).to_have_text("call the home")
    page.locator(".language").click()
    expect(page.locator(".measured")).to_have_text("请致电家中")
