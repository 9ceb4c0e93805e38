"""Glasgow Coma Scale, 3 to 15, from four years on: younger children need the paediatric verbal scale.

Source: Teasdale and Jennett, Assessment of coma and impaired consciousness, Lancet 1974;2:81-84, six grades of motor
response as in use since 1976; 8 or less is called coma.
"""

from typing import Final

from gateway.derive.population import ADULTS, MATERNAL, Population
from gateway.derive.scores.score import Chart, Item, Steps, Sum, only

POPULATIONS: Final = ADULTS | MATERNAL | {Population.CHILD, Population.ADOLESCENT}
COMA: Final = 8
RANGES: Final = {"gcs-eye": 4, "gcs-verbal": 5, "gcs-motor": 6}


def _as_is(highest: int) -> Steps:
    return Steps(tuple(range(1, highest)), tuple(range(1, highest + 1)))


def risk(total: int, _marked: bool) -> str:
    return "coma" if total <= COMA else "none"


CHART: Final[Chart] = tuple(Item(name, (name,), _as_is(highest)) for name, highest in RANGES.items())
GCS: Final = Sum("gcs", "Teasdale 1974/1976", POPULATIONS, (CHART,), only, risk, worst_is_low=True)
