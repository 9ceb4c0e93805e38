"""MEOWS of pregnant women and, for six weeks, of women who have given birth.

Source: the chart of the Confidential Enquiry into Maternal and Child Health (Saving Mothers' Lives 2003-2005) as
validated by Singh et al., Anaesthesia 2012;67:12-18 (doi 10.1111/j.1365-2044.2011.06896.x): one red or two yellow
observations trigger. The limits are from memory of that table, for a site to confirm: it replaces `CHART`.

Yellow counts 1 and red 2, so a sum of 2 is exactly the paper's trigger. Not here because no device gives them: pain,
lochia, proteinuria, liquor. New confusion, which the chart does not name, counts as "responds to voice".
"""

from typing import Final

from gateway.derive.population import MATERNAL
from gateway.derive.scores.score import PULSE, Chart, Item, Steps, Sum, Words, only, trigger_from

YELLOW: Final = 1
RED: Final = 2
TRIGGER: Final = 2

CHART: Final[Chart] = (
    Item("resp-rate", ("resp-rate",), Steps((9, 20, 30), (RED, 0, YELLOW, RED))),
    Item("spo2", ("spo2",), Steps((94,), (RED, 0))),
    Item("temperature", ("temperature",), Steps((34.9, 36.0, 38.0), (RED, YELLOW, 0, RED), decimals=1)),
    Item("bp-systolic", ("bp-systolic",), Steps((89, 100, 149, 160), (RED, YELLOW, 0, YELLOW, RED))),
    Item("bp-diastolic", ("bp-diastolic",), Steps((89, 100), (0, YELLOW, RED))),
    Item("pulse", PULSE, Steps((39, 50, 99, 120), (RED, YELLOW, 0, YELLOW, RED))),
    Item(
        "consciousness",
        ("consciousness",),
        Words({"alert": 0, "confused": YELLOW, "voice": YELLOW, "pain": RED, "unresponsive": RED}),
    ),
)
HIGHEST: Final = RED * len(CHART)
MEOWS: Final = Sum("meows", "CEMACH 2007", MATERNAL, (CHART,), only, trigger_from(TRIGGER), mark=RED)
