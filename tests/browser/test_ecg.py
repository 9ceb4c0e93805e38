"""The ECG is drawn at real scale: checked on the pixels of the canvas."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from gateway.contract.quantity import ECG_LEADS_12
from tests.browser.conftest import Open, Serve
from tests.browser.feed_server import FeedServer

pytestmark = pytest.mark.server("chromium")

PX_PER_MM = 3.78
MILLIVOLT = 10 * PX_PER_MM  # at 10 mm/mV
SECOND = 25 * PX_PER_MM  # at 25 mm/s

# Per pixel column of a lead's widest cell: middle and top of what is drawn between the two y, null where nothing is.
_COLUMNS = """
([lead, above, below]) => {
  const found = [...document.querySelectorAll("canvas.traces")].flatMap((canvas) =>
    JSON.parse(canvas.dataset.bands).flatMap((band) => band.cells)
      .filter((cell) => cell.lead === lead).map((cell) => ({ canvas, cell })));
  const { canvas, cell } = found.sort((a, b) => b.cell.width - a.cell.width)[0];
  const y0 = Math.max(0, Math.floor(cell.baseline - above));
  const [w, h] = [Math.floor(cell.width), Math.ceil(cell.baseline + below) - y0];
  const rgba = canvas.getContext("2d").getImageData(Math.ceil(cell.x), y0, w, h).data;
  const [middle, top] = [[], []];
  for (let x = 0; x < w; x++) {
    let [sum, moment, first] = [0, 0, null];
    for (let y = 0; y < h; y++) {
      const alpha = rgba[4 * (y * w + x) + 3];
      sum += alpha;
      moment += alpha * (y0 + y + 0.5);
      if (alpha > 60 && first === null) first = y0 + y;
    }
    middle.push(sum > 60 ? moment / sum : null);
    top.push(first);
  }
  return { middle, top, baseline: cell.baseline };
}
"""


# Whether the widest canvas holds traces over at least three quarters of its width.
_FULL = """
() => [...document.querySelectorAll("canvas.traces")].every((canvas) => {
  const rgba = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let columns = 0;
  for (let x = 0; x < canvas.width; x++)
    for (let y = 0; y < canvas.height; y++)
      if (rgba[4 * (y * canvas.width + x) + 3] > 0) { columns++; break; }
  return columns > 0.75 * canvas.width;
})
"""


@dataclass
class Ink:
    """What is drawn of one lead, per pixel column: middle and top of the line (y in px; NaN where nothing is)."""

    middle: NDArray[np.float64]
    top: NDArray[np.float64]
    baseline: float


def ink_of(page: Page, lead: str, above: float = MILLIVOLT + 4) -> Ink:
    """Reads the widest cell of a lead, from ``above`` px over its baseline to 4 px under it (device pixel ratio 1)."""
    found = page.evaluate(_COLUMNS, [lead, above, 4])
    return Ink(np.array(found["middle"], dtype=float), np.array(found["top"], dtype=float), found["baseline"])


def open_ecg(page: Page) -> None:
    """From the board to the first unit, with traces on the screen."""
    page.locator(".card-link").first.click()
    expect(page.locator("canvas.traces[data-drawn]").first).to_be_visible()
    page.wait_for_function(_FULL, polling=250)  # the last ten seconds have come


def check_scale(ink: Ink, *, second: float = SECOND, millivolt: float = MILLIVOLT) -> None:
    """1 mV pulses of 200 ms every second measure what paper says they measure."""
    height = ink.baseline - ink.middle
    high = np.abs(height - millivolt) < 2
    low = np.abs(height) < 2
    assert np.nanmedian(height[high]) - np.nanmedian(height[low]) == pytest.approx(millivolt, abs=0.4)
    gaps = np.diff(np.flatnonzero(high[1:] & ~high[:-1]))  # from rise to rise
    regular = gaps[np.abs(gaps - second) < 3]  # the erase bar makes one gap irregular
    assert len(regular) >= 3
    assert regular.mean() == pytest.approx(second, abs=0.5)


@pytest.mark.parametrize("frozen", [False, True])
def test_one_millivolt_is_ten_millimetres_and_one_second_is_twenty_five(
    serve: Serve, open_page: Open, frozen: bool
) -> None:
    world = FeedServer(1)
    world.units["amb-001"].square = True
    page = open_page(serve(world))
    open_ecg(page)
    if frozen:
        page.keyboard.press("f")
        expect(page.locator(".frozen canvas.traces[data-drawn]")).to_be_visible()
    check_scale(ink_of(page, "II"))


def test_keys_change_speed_and_gain(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["amb-001"].square = True
    page = open_page(serve(world))
    open_ecg(page)
    page.keyboard.press("s")
    page.keyboard.press("s")
    page.keyboard.press("g")
    page.keyboard.press("g")
    expect(page.locator(".imprint")).to_contain_text("12.5 mm/s · 5 mm/mV · 滤波 0.05-150 Hz · 500 Hz")
    page.keyboard.press("f")
    expect(page.locator(".frozen canvas.traces[data-drawn]")).to_be_visible()
    check_scale(ink_of(page, "II"), second=SECOND / 2, millivolt=MILLIVOLT / 2)


def test_twelve_leads_and_a_rhythm_strip(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(FeedServer(1)))
    open_ecg(page)
    assert sorted(page.locator(".lead").all_inner_texts()) == sorted([*ECG_LEADS_12, "II"])
    page.keyboard.press("l")
    expect(page.locator(".lead")).to_have_count(12)
    page.keyboard.press("l")
    expect(page.locator(".imprint")).to_contain_text("5 mm/mV")  # twelve rows halve the gain
    assert page.locator(".lead").all_inner_texts() == list(ECG_LEADS_12)


@pytest.mark.parametrize(("leads", "fs"), [(("MLII", "V5"), 360.0), (("ECG",), 250.0), (("II", "V1", "V5"), 250.0)])
def test_records_with_few_leads_are_drawn_with_what_they_have(
    serve: Serve, open_page: Open, leads: tuple[str, ...], fs: float
) -> None:
    world = FeedServer(1)
    unit = world.units["amb-001"]
    unit.leads, unit.fs, unit.square = leads, fs, True
    page = open_page(serve(world))
    open_ecg(page)
    assert sorted(page.locator(".lead").all_inner_texts()) == sorted(leads)
    expect(page.locator(".imprint")).to_contain_text(f"{fs:.0f} Hz")
    page.keyboard.press("f")
    expect(page.locator(".frozen canvas.traces[data-drawn]")).to_be_visible()
    for lead in leads:
        check_scale(ink_of(page, lead))


def test_lead_off_is_a_dashed_flat_line_with_the_words(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["amb-001"].leads_off = frozenset({"V3"})
    page = open_page(serve(world))
    open_ecg(page)
    off = page.locator(".lead", has_text="V3")
    expect(off).to_contain_text("导联脱落")
    expect(page.locator(".lead-off")).to_have_count(1)
    page.keyboard.press("f")
    expect(page.locator(".frozen canvas.traces[data-drawn]")).to_be_visible()
    ink = ink_of(page, "V3", above=4)
    seen = ~np.isnan(ink.top)
    flat = np.abs(ink.middle - ink.baseline)[seen]
    assert 0.3 < seen.mean() < 0.8, "dashes: about half of the columns"
    assert np.median(flat) < 1


def test_a_gap_is_never_joined(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["amb-001"].square = True
    world.source.hole_every = 25  # 600 ms are missing every 5 s
    page = open_page(serve(world))
    open_ecg(page)
    page.keyboard.press("f")
    expect(page.locator(".frozen canvas.traces[data-drawn]")).to_be_visible()
    empty = np.isnan(ink_of(page, "II").top)
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate(([0], empty.astype(int), [0])))))[::2]
    assert max(runs) == pytest.approx(0.6 * SECOND, abs=4)


def test_frames_that_come_after_the_pen_has_passed_are_drawn(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["amb-001"].square = True
    page = open_page(serve(world))
    open_ecg(page)
    world.hold_waves = True
    expect(page.locator(".no-signal")).to_be_visible()
    world.hold_waves = False
    expect(page.locator(".no-signal")).to_have_count(0)
    empty = np.isnan(ink_of(page, "II").top).sum()
    assert empty == pytest.approx(6 * PX_PER_MM, abs=8), "nothing is missing but the erase bar"


def test_calipers_measure_time_voltage_and_rate(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(FeedServer(1)))
    open_ecg(page)
    page.keyboard.press("f")
    figures = page.locator(".caliper-figures")
    expect(figures).to_contain_text("1000 ms · 0.53 mV · 60 /min")
    page.locator(".caliper").nth(1).focus()
    page.keyboard.press("Shift+ArrowLeft")  # 10 px
    page.keyboard.press("ArrowUp")
    expect(figures).to_contain_text("894 ms · 0.56 mV · 67 /min")


def test_the_scale_can_be_set_against_a_card(serve: Serve, open_page: Open) -> None:
    world = FeedServer(1)
    world.units["amb-001"].square = True
    page = open_page(serve(world))
    open_ecg(page)
    page.locator(".ecg-tools button", has_text="标尺").click()
    page.locator(".ruler input").fill("5")
    box = page.locator(".id-card").bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(428, abs=1)
    assert box["height"] == pytest.approx(269.9, abs=1)
    page.locator(".ruler .primary").click()
    page.keyboard.press("f")
    expect(page.locator(".frozen canvas.traces[data-drawn]")).to_be_visible()
    check_scale(ink_of(page, "II", above=54), second=125, millivolt=50)
