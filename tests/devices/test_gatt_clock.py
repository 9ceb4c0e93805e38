"""Date Time bears no zone: the option ``utc_offset`` says what a device's clock shows."""

from types import ModuleType

import pytest

from edge_agents.device import Numeric
from edge_agents.devices import blood_pressure_monitor, glucose_meter, pulse_oximeter, thermometer, weight_scale

NOON = 1_551_268_800_000_000  # 2019-02-27 12:00:00 as UTC
HOUR = 3_600_000_000
each_frame = pytest.mark.parametrize(
    ("module", "frame"),
    [
        (blood_pressure_monitor, "352a 02 7800 5000 5d00 e307021b0c0000"),
        (glucose_meter, "182a 06 0400 e307021b0c0000 37c0 11"),
        (thermometer, "1c2a 02 6f0100ff e307021b0c0000"),
        (weight_scale, "9d2a 02 a438 e307021b0c0000"),
        (pulse_oximeter, "5e2a 01 6200 4e00 e307021b0c0000"),
    ],
)


@each_frame
@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({}, NOON),
        ({"utc_offset": "+08:00"}, NOON - 8 * HOUR),
        ({"utc_offset": "+0800"}, NOON - 8 * HOUR),
        ({"utc_offset": "-03:30"}, NOON + 7 * HOUR // 2),
    ],
)
def test_the_clock_of_a_device_shows_local_time(
    module: ModuleType, frame: str, options: dict[str, str], at: int
) -> None:
    (got,) = module.Decoder(**options).feed(bytes.fromhex(frame), 5)
    assert isinstance(got, Numeric)
    assert got.observed_at == at


@each_frame
@pytest.mark.parametrize("text", ["", "8", "+8", "+15:00", "Asia/Shanghai"])
def test_what_is_no_offset_is_refused(module: ModuleType, frame: str, text: str) -> None:
    assert frame
    with pytest.raises(ValueError, match=r"expected .HHMM"):
        module.Decoder(utc_offset=text)
