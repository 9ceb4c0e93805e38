"""qSOFA, 0 to 3, of adults in whom somebody suspects an infection: it says nothing about anybody else.

Source: Singer et al., The Third International Consensus Definitions for Sepsis (Sepsis-3), JAMA 2016;315:801-810
(doi 10.1001/jama.2016.0287): respiratory rate >= 22, systolic pressure <= 100, altered mentation (GCS < 15); 2 or more
is positive. AVPU other than alert counts as altered mentation.
"""

from typing import Final

import msgspec

from gateway.derive.population import ADULTS
from gateway.derive.scores.score import Chart, Item, Steps, Sum, Value, only, trigger_from

HIGHEST: Final = 3
POSITIVE: Final = 2


class Mentation(msgspec.Struct, frozen=True):
    """One point for anything but a GCS of 15 or the word alert."""

    least: int = 0

    def of(self, value: Value) -> int:
        return int(value != "alert") if isinstance(value, str) else int(value < 15)


CHART: Final[Chart] = (
    Item("resp-rate", ("resp-rate",), Steps((21,), (0, 1))),
    Item("bp-systolic", ("bp-systolic",), Steps((100,), (1, 0))),
    Item("mentation", ("consciousness", "gcs"), Mentation()),
)
QSOFA: Final = Sum("qsofa", "Sepsis-3 2016", ADULTS, (CHART,), only, trigger_from(POSITIVE))
