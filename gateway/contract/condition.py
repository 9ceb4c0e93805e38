"""The table of technical conditions: what can be wrong with a device. A condition is an event, never a number.

On the wire: an Event named ``condition`` with details ``{"code", "state": "on" | "off", "part"?}``. Codes are of this
project; priorities follow IEC 60601-1-8 (harm and how soon) as this project's defaults.
"""

from typing import Final, Literal

import msgspec

EVENT: Final = "condition"


class Condition(msgspec.Struct, frozen=True):
    """One row."""

    code: str
    priority: Literal["low", "medium", "high"]
    meaning: str


_ROWS: Final = (
    Condition("battery-low", "low", "the device's battery is nearly empty"),
    Condition("clock-unset", "low", "the device does not know the time: its readings bear the time of arrival"),
    Condition("probe-fault", "medium", "a probe is broken or not connected"),
    Condition("sensor-off", "low", "a sensor is not on the person"),
    Condition("sensor-fault", "medium", "a sensor is broken or of an unknown kind"),
    Condition("signal-poor", "low", "the signal is too poor to be trusted"),
    Condition("cuff-error", "low", "the cuff is loose, misplaced or could not measure"),
    Condition("body-moved", "low", "the person moved while it measured"),
    Condition("irregular-pulse", "low", "the device found the pulse irregular: its value is less certain"),
    Condition("strip-error", "low", "the test strip or cartridge could not be used"),
    Condition("out-of-measuring-range", "low", "the result lies outside what the device can measure"),
    Condition("ambient-temperature", "low", "the device is too hot or too cold to measure"),
    Condition("device-fault", "medium", "the device reports a fault of its own"),
    Condition("self-test-failed", "medium", "the device failed its self-test"),
    Condition("calibration-due", "low", "the device asks to be calibrated"),
    Condition("mains-lost", "medium", "the device runs on battery because mains power failed"),
    Condition("pressure-low", "medium", "pressure is below what the device needs"),
    Condition("pressure-high", "medium", "pressure is above what is safe"),
    Condition("pump-fault", "medium", "a pump does not run as it should"),
    Condition("compressor-fault", "medium", "a refrigeration unit cannot cool"),
    Condition("oxygen-purity-low", "high", "a concentrator's oxygen is below 82 %"),
    Condition("occlusion", "high", "a line is blocked"),
    Condition("air-in-line", "high", "a pump found air in its line"),
    Condition("infusion-ended", "medium", "the volume to be infused has been delivered"),
    Condition("disconnected-circuit", "high", "a ventilator's breathing circuit is open"),
    Condition("airway-pressure-high", "high", "a ventilator's airway pressure is above its limit"),
    Condition("airway-pressure-low", "high", "a ventilator's airway pressure is below its limit"),
    Condition("scanner-silent", "low", "a scanner has heard nothing for longer than it should"),
    Condition("beacon-silent", "low", "a fixed beacon is no longer heard: it has failed or was taken away"),
    Condition("paper-out", "low", "a printer or recorder is out of paper"),
    Condition("link-fault", "low", "a device behind the device does not answer"),
)

CONDITIONS: Final[dict[str, Condition]] = {row.code: row for row in _ROWS}


def split(condition: str) -> tuple[str, str]:
    """Code and part of ``code`` or ``code/part``."""
    code, _, part = condition.partition("/")
    return code, part
