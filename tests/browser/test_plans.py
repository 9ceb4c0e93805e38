"""What readings are called, with source and refusal; care plans as a doctor or nurse sets, changes and ends them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Locator, Page, expect

from gateway.api.plan_schemas import CarePlanState, WordingState
from gateway.derive.plans import CarePlan
from gateway.derive.population import Pregnancy
from gateway.derive.scores import rehab
from gateway.derive.scores.score import Person
from gateway.derive.wording import Measured, Wordings
from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.plan_routes import plan
from tests.browser.ward_world import bed, sitting, station
from tests.browser.world import now_us

pytestmark = pytest.mark.server("chromium")

ADULT = Person(age_days=22_000)
PREGNANT = Person(age_days=11_000, pregnancy=Pregnancy.PREGNANT)
TRAINING = {"kind": "rehab", "resting": 64, "maximum": 152}


def words(person: Person = ADULT, plans: dict[str, Any] | None = None, **values: float) -> list[dict[str, Any]]:
    """What the gateway says of these readings."""
    at = now_us()
    measured = [Measured("cuff", name.replace("_", "-"), value, at) for name, value in values.items()]
    found: list[dict[str, Any]] = msgspec.to_builtins(Wordings().of(measured, person, plans or {}))
    return found


def world() -> FeedServer:
    made = FeedServer(1)
    made.units["bed-001"] = bed(1)
    made.units["kiosk-001"] = station("health-kiosk", 1, {})
    return made


def wording(scope: Page | Locator, name: str) -> Locator:
    return scope.locator(f"[data-wording={name}]")


def section(page: Page, kind: str) -> Locator:
    return page.locator(f"[data-plan={kind}]")


def open_plans(page: Page) -> None:
    page.locator(".care-plans summary").click()


@pytest.mark.parametrize(
    ("language", "said", "source", "refused"),
    [("zh", "1 级范围", "依据：中国高血压防治指南", "不适用于孕妇"),
     ("en", "grade 1 range", "Source: Chinese hypertension guideline", "not made for: pregnant")],
)  # fmt: skip
def test_a_kiosk_says_what_a_reading_is_called_and_for_whom_it_has_no_word(
    serve: Serve, open_page: Open, language: str, said: str, source: str, refused: str
) -> None:
    made = world()
    values = {"bp-systolic": 142.0, "bp-diastolic": 88.0}
    made.sittings["kiosk-001"] = [
        sitting(2, ago=2, ended=False, values=values, words=words(bp_systolic=142, bp_diastolic=88)),
        sitting(1, ago=30, ended=True, values=values, words=words(PREGNANT, bp_systolic=142, bp_diastolic=88)),
    ]
    page = open_page(serve(made), path="/ward", language=language)
    tile = page.locator(".tile[data-unit=kiosk-001]")
    present = wording(tile.locator(".present"), "bp-category")
    expect(present).to_contain_text(said)
    expect(present).to_contain_text("142/88")
    expect(present).to_contain_text(source)
    expect(wording(tile.locator(".sitting").nth(1), "bp-category")).to_contain_text(refused)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing runs over the edge"


def test_a_bed_says_what_needs_somebody_and_what_is_only_assumed(serve: Serve, open_page: Open) -> None:
    made = world()
    made.units["bed-001"].state["wordings"] = words(Person(), glucose=3.2)
    page = open_page(serve(made), path="/ward", language="en")
    found = wording(page.locator(".tile[data-unit=bed-001]"), "glucose-class")
    expect(found).to_contain_text("level 1 low · act on it · age unknown: as an adult")
    made.change_unit("bed-001", wordings=words(glucose=5.5))
    expect(found).to_contain_text("in range")
    expect(found).not_to_contain_text("act on it")


def test_a_word_younger_than_the_page_takes_no_tile_away(serve: Serve, open_page: Open) -> None:
    made = world()
    [young] = words(glucose=5.5)
    made.units["bed-001"].state["wordings"] = [young | {"name": "blood-colour"}, young | {"table": "mars"}]
    page = open_page(serve(made), path="/ward", language="en")
    expect(page.locator(".tile[data-unit=bed-001] [data-wording]")).to_have_count(1)
    expect(wording(page, "glucose-class")).to_contain_text("Source: ADA Standards of Care")


def test_the_training_range_stands_on_the_persons_page(serve: Serve, open_page: Open) -> None:
    made = world()
    counting = {"rehab": _counting(rehab.Plan(resting=64, maximum=152))}
    made.units["bed-001"].state["wordings"] = words(plans=counting)
    page = open_page(serve(made), path="/units/bed-001", language="en")
    expect(wording(page, "rehab-heart-rate")).to_contain_text("Training heart rate 99–134 /min")
    made.change_unit("bed-001", wordings=words(plans=counting, heart_rate=141))
    expect(wording(page, "rehab-heart-rate")).to_contain_text("stop · act on it")


def _counting(content: rehab.Plan) -> CarePlan:
    return CarePlan("plan-1", content, "dr.li", now_us(), now_us() + 1)


def test_a_plan_is_set_changed_and_ended(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/units/bed-001", language="en")
    open_plans(page)
    rehab_plan = section(page, "rehab")
    rehab_plan.locator(".plan-set").click()
    rehab_plan.locator("[name=resting]").fill("64")
    rehab_plan.locator("[name=maximum]").fill("152")
    rehab_plan.locator("[name=reason]").fill("six weeks after infarction")
    rehab_plan.locator("button.primary").click()
    expect(rehab_plan).to_contain_text("resting 64 /min")
    expect(rehab_plan).to_contain_text("134")
    [sent] = made.planned
    wanted = {**TRAINING, "early": None, "ischaemic_threshold": None, "beta_blocker": False}
    assert (sent["plan"], sent["replaces"]) == (wanted, None)
    days = (sent["expires_at"] - now_us()) / 86_400_000_000
    assert days == pytest.approx(90, abs=0.01)
    rehab_plan.locator(".plan-set").click()
    expect(rehab_plan.locator("[name=resting]")).to_have_value("64")
    rehab_plan.locator("[name=resting]").fill("70")
    rehab_plan.locator("[name=reason]").fill("measured again")
    rehab_plan.locator("button.primary").click()
    expect(rehab_plan).to_contain_text("resting 70 /min")
    assert made.planned[1]["replaces"] == "plan-1"
    rehab_plan.locator(".plan-end").click()
    expect(rehab_plan).to_contain_text("end with it")
    rehab_plan.locator("button.primary").click()
    expect(rehab_plan.locator(".plan-set")).to_have_text("Set")
    assert made.plans == []


def test_what_the_gateway_refuses_stays_in_the_form_and_says_why(serve: Serve, open_page: Open) -> None:
    made = world()
    made.refuse = (409, "plan-refused", "no exercise test, and a beta blocker allows no estimate of the maximum")
    page = open_page(serve(made), path="/units/bed-001", language="en")
    open_plans(page)
    flow = section(page, "peak-flow")
    flow.locator(".plan-set").click()
    flow.locator("[name=personal_best]").fill("480")
    flow.locator("[name=reason]").fill("asthma")
    flow.locator("button.primary").click()
    expect(flow.locator("[role=alert]")).to_contain_text("allows no estimate")
    expect(flow.locator("[name=personal_best]")).to_have_value("480")
    assert made.planned == []


def test_uploads_are_entered_in_hours(serve: Serve, open_page: Open) -> None:
    made = world()
    page = open_page(serve(made), path="/units/bed-001", language="en")
    open_plans(page)
    uploads = section(page, "uploads")
    uploads.locator(".plan-set").click()
    uploads.locator("[name=every_hours]").fill("12")
    uploads.locator("[name=quantity]").select_option("bp-systolic")
    uploads.locator("[name=reason]").fill("heart failure")
    uploads.locator("button.primary").click()
    expect(uploads).to_contain_text("every 12 h, grace 2 h: Systolic")
    [sent] = made.planned
    assert sent["plan"] == {"kind": "uploads", "every_minutes": 720, "grace_minutes": 120, "quantity": "bp-systolic"}


def test_a_plan_that_is_not_for_them_any_more_says_so(serve: Serve, open_page: Open) -> None:
    made = world()
    made.plans = [plan(1, TRAINING, limits={}, refused="population", population="pregnant")]
    page = open_page(serve(made), path="/units/bed-001")
    open_plans(page)
    expect(section(page, "rehab").locator(".warn")).to_have_text("现不生效：不适用于孕妇")


def test_who_may_not_set_plans_is_not_shown_them(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(world()), path="/units/bed-001", user="ops.li")
    expect(page.locator(".unit-alerts")).to_be_visible()
    expect(page.locator(".care-plans")).to_have_count(0)


@pytest.mark.parametrize(("theme", "language", "size"), [("dark", "zh", (1366, 768)), ("light", "en", (390, 844))])
def test_the_page_with_everything_on_it(
    serve: Serve, open_page: Open, screens: Path, theme: str, language: str, size: tuple[int, int]
) -> None:
    made = world()
    made.plans = [plan(1, TRAINING), plan(2, {"kind": "uploads", "every_minutes": 1440, "grace_minutes": 120})]
    counting = {"rehab": _counting(rehab.Plan(resting=64, maximum=152))}
    spoken = words(plans=counting, bp_systolic=142, bp_diastolic=88, glucose=3.2, heart_rate=141)
    made.units["bed-001"].state["wordings"] = spoken
    page = open_page(serve(made), path="/units/bed-001", theme=theme, language=language, size=size)
    open_plans(page)
    section(page, "peak-flow").locator(".plan-set").click()
    expect(page.locator(".plan-form")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing runs over the edge"
    page.screenshot(path=screens / f"plans-{size[0]}-{theme}-{language}.png", full_page=True)


def test_the_stand_in_tells_plans_and_words_as_the_gateway_does() -> None:
    CarePlanState.model_validate(plan(1, TRAINING))
    for one in Wordings().of([Measured("m", "glucose", 5.5, 1)], ADULT, {}):
        WordingState.model_validate(one)
