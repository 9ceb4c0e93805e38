"""The names of everything that is derived for people to see: each stands in docs/intended-use.md and can be off."""

from collections.abc import Iterable
from typing import Final

from gateway.derive.scores import (
    blood_pressure,
    fetal,
    glucose,
    peak_flow,
    pressure_dose,
    rehab,
    turn_clock,
    uploads,
)
from gateway.derive.scores.board import SCORES

ECG: Final = frozenset({"heart-rate", "signal-quality", "rhythm", "st-criteria"})
OTHERS: Final = frozenset(
    module.NAME for module in (blood_pressure, fetal, glucose, peak_flow, pressure_dose, rehab, turn_clock, uploads)
)
DERIVATIONS: Final = ECG | OTHERS | SCORES.keys()


class UnknownDerivation(ValueError):
    """A site switches off something that there is not: what it meant would stay on."""


def switched_off(names: Iterable[str]) -> frozenset[str]:
    """The derivations a site does not want.

    Raises:
        UnknownDerivation: a name that is none of them.
    """
    off = frozenset(names)
    if unknown := off - DERIVATIONS:
        known = ", ".join(sorted(DERIVATIONS))
        raise UnknownDerivation(f"no derivation {', '.join(sorted(unknown))}; there are {known}")
    return off
