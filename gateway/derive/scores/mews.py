"""MEWS, 0 to 14, of adults who are not pregnant.

Source: Subbe et al., Validation of a modified Early Warning Score in medical admissions, QJM 2001;94:521-526; table by
secondary copies. Local variants differ: a site replaces `CHART`. Deviation: new confusion, which the paper does not
score, counts as "responds to voice", as in charts that do.
"""

from typing import Final

from gateway.derive.population import ADULTS
from gateway.derive.scores.score import PULSE, Chart, Item, Steps, Sum, Words, only, trigger_from

HIGHEST: Final = 14
TRIGGER: Final = 5
LEVELS: Final = Words({"alert": 0, "confused": 1, "voice": 1, "pain": 2, "unresponsive": 3})

CHART: Final[Chart] = (
    Item("bp-systolic", ("bp-systolic",), Steps((70, 80, 100, 199), (3, 2, 1, 0, 2))),
    Item("pulse", PULSE, Steps((40, 50, 100, 110, 129), (2, 1, 0, 1, 2, 3))),
    Item("resp-rate", ("resp-rate",), Steps((8, 14, 20, 29), (2, 0, 1, 2, 3))),
    Item("temperature", ("temperature",), Steps((34.9, 38.4), (2, 0, 2), decimals=1)),
    Item("consciousness", ("consciousness",), LEVELS),
)
MEWS: Final = Sum("mews", "Subbe 2001", ADULTS, (CHART,), only, trigger_from(TRIGGER))
