"""Every state in both languages, both themes and three sizes: nothing overflows, nothing is cut, nothing untranslated.

With LASTMILE_SCREENS=folder all twelve combinations are taken and the pictures stay there to be looked at.
"""

import itertools
import os
import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer
from tests.browser.world import MINUTE, SECOND, alert, now_us

pytestmark = [pytest.mark.server("chromium"), pytest.mark.slow]

SIZES: Final = {"1366": (1366, 768), "1920": (1920, 1080), "390": (390, 844)}
EVERY: Final = list(itertools.product(("zh", "en"), ("dark", "light"), SIZES))
PAIRS: Final = [("zh", "dark", "1366"), ("en", "light", "1366"), ("zh", "light", "1920"), ("en", "dark", "390")]
LOOKS: Final = EVERY if "LASTMILE_SCREENS" in os.environ else PAIRS

# Elements whose text is cut, or which reach beyond the window; an ellipsis on a name is allowed to cut.
_CUT = """
() => {
  const out = [];
  const doc = document.scrollingElement;
  if (doc.scrollWidth > innerWidth) out.push(`page is ${doc.scrollWidth} px wide`);
  const desk = innerWidth > 900;
  if (desk && doc.scrollHeight > innerHeight) out.push(`page is ${doc.scrollHeight} px high`);
  for (const e of document.querySelectorAll(
    "button, a, h1, h2, h3, p, span, time, strong, dd, dt, output, kbd, label")) {
    const style = getComputedStyle(e);
    const r = e.getBoundingClientRect();
    if (r.width === 0 || e.closest(".frozen") || style.textOverflow === "ellipsis") continue;
    const clips = style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1;
    const beyond = r.right > innerWidth + 1 || r.left < -1;
    const box = e.closest(".vital, .card, .alert, .ecg-tools, .top, .foot, .link-bar, .unit-head")
      ?.getBoundingClientRect();
    const outside = box && (r.right > box.right + 1 || (desk && r.bottom > box.bottom + 1));
    if (clips || beyond || outside) out.push(`${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`);
  }
  return out;
}
"""
_CJK = re.compile(r"[一-鿿]+")
_NAMES = {"中文", "王建国", "李秀英"}


class Looker:
    """Checks and photographs one page in one look."""

    def __init__(self, page: Page, folder: Path, look: tuple[str, str, str]) -> None:
        self._page, self._folder, self._look = page, folder, look

    def look(self, state: str) -> None:
        """Nothing is cut or untranslated; a picture is kept."""
        self._page.screenshot(path=self._folder / f"{state}-{'-'.join(self._look)}.png", animations="disabled")
        assert self._page.evaluate(_CUT) == [], state
        if self._look[0] == "en":
            words = set(_CJK.findall(self._page.locator("body").inner_text())) - _NAMES
            assert not words, state


def three_high(world: FeedServer) -> None:
    """Three high alerts with figures, and lesser ones beside them."""
    now = now_us()
    figures = {"quantity": "heart-rate", "value": 152.0, "limit": 130.0}
    world.raise_alert(alert(1, "amb-004", now - 48 * SECOND, rule="heart-rate-high", priority="high", **figures))
    world.raise_alert(
        alert(
            2,
            "amb-002",
            now - 9 * SECOND,
            rule="heart-rate-low",
            priority="high",
            quantity="heart-rate",
            value=38.0,
            limit=40.0,
        )
    )
    world.raise_alert(alert(3, "amb-003", now - 3 * MINUTE, rule="duplicate-identity", priority="high"))
    world.raise_alert(alert(4, "amb-004", now - 5 * SECOND, rule="signal-missing", priority="medium", quantity="spo2"))
    world.raise_alert(alert(5, "amb-001", now - 7 * SECOND, rule="lead-off", priority="low"))


@pytest.mark.parametrize("look", LOOKS, ids="-".join)
def test_boards(serve: Serve, open_page: Open, screens: Path, look: tuple[str, str, str]) -> None:
    language, theme, size = look
    world = FeedServer(4)
    page = open_page(serve(world), user=None, size=SIZES[size], language=language, theme=theme)
    looker = Looker(page, screens, look)
    expect(page.locator(".demo code").first).to_be_visible()
    looker.look("login")
    page.locator(".demo button").click()
    page.locator("button[type=submit]").click()
    expect(page.locator(".card")).to_have_count(4)
    expect(page.locator("[data-link=live]")).to_be_visible()
    looker.look("normal")
    page.locator(".sound-banner button").click()
    three_high(world)
    expect(page.locator(".card .strip canvas[data-drawn]")).to_have_count(3)
    looker.look("three-high")
    world.refuse = (403, "not-allowed", "dispatchers may not acknowledge")
    page.locator(".card .ack").first.click()
    expect(page.locator(".refusal")).to_be_visible()
    looker.look("refused")
    page.locator(".top nav a[href='/alerts']").click()
    expect(page.locator(".alert-list .alert")).to_have_count(4)
    looker.look("alerts")
    page.locator(".alert-list .fold").click()
    expect(page.locator(".alert-list .alert")).to_have_count(5)
    looker.look("alerts-unfolded")
    page.locator(".top nav a").first.click()
    world.lag = 45 * SECOND
    world.change_unit("amb-001", outbox_records=4321)
    expect(page.locator("[data-link=catching-up]")).to_be_visible()
    looker.look("catching-up")
    world.cut_link()
    expect(page.locator("[data-link=stale]")).to_be_visible()
    expect(page.locator(".small-vital.stale")).not_to_have_count(0)
    looker.look("stale")


@pytest.mark.parametrize("look", LOOKS, ids="-".join)
def test_empty_and_crowded(serve: Serve, open_page: Open, screens: Path, look: tuple[str, str, str]) -> None:
    language, theme, size = look
    for count, state in ((0, "empty"), (40, "forty")):
        world = FeedServer(count)
        page = open_page(serve(world), size=SIZES[size], language=language, theme=theme)
        expect(page.locator(".card")).to_have_count(count)
        if count:
            three_high(world)
            expect(page.locator(".alert")).to_have_count(4)
        else:
            expect(page.locator(".empty .quiet")).to_be_visible()
        Looker(page, screens, look).look(state)


@pytest.mark.parametrize("look", LOOKS, ids="-".join)
def test_unit_view(serve: Serve, open_page: Open, screens: Path, look: tuple[str, str, str]) -> None:
    language, theme, size = look
    world = FeedServer(4)
    world.units["amb-004"].leads_off = frozenset({"V3"})
    url = serve(world)
    page = open_page(url, size=SIZES[size], language=language, theme=theme)
    looker = Looker(page, screens, look)
    page.goto(f"{url}/units/amb-004")
    expect(page.locator("canvas.traces[data-drawn]").first).to_be_visible()
    expect(page.locator(".spark path").first).to_be_attached()
    looker.look("unit-banner")
    page.locator(".sound-banner button").click()
    three_high(world)
    for minutes, name in ((22, "at-scene"), (9, "boarded"), (8, "departed-scene")):
        about = {"unit": "amb-004", "device": "crew", "at": now_us() - minutes * MINUTE}
        world.say({"type": "event", **about, "name": name, "details": {}})
    expect(page.locator(".happened")).to_have_count(3)
    expect(page.locator(".lead-off").first).to_be_visible()
    expect(page.locator("canvas.traces[data-drawn]").first).to_be_visible()
    looker.look("unit")
    page.keyboard.press("f")
    expect(page.locator(".frozen canvas.traces")).to_be_visible()
    looker.look("unit-frozen")
    page.keyboard.press("f")
    for state in ("unit-6x2", "unit-12x1"):
        page.keyboard.press("l")
        expect(page.locator("canvas.traces[data-drawn]").first).to_be_visible()
        if size != "390" or state == "unit-12x1":
            looker.look(state)
    world.cut_link()
    expect(page.locator("[data-quantity=spo2].stale")).to_be_visible()
    expect(page.locator(".no-signal")).to_be_visible()
    looker.look("unit-stale")
