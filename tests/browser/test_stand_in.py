"""What the scripted gateway answers has the form that the real one's schemas promise."""

import msgspec
import pytest

from gateway.alerts.notice import Notice
from gateway.api.alert_schemas import AlertDetail, Ladders, ListedAlert, ShiftState
from gateway.api.turn_schemas import PressureCareState
from tests.browser.alert_world import (
    climbing,
    detail,
    ladders,
    line,
    notice,
    rhythm_why,
    shift,
    st_why,
    tachycardia,
    threshold_why,
    told,
)
from tests.browser.ward_world import lying
from tests.browser.world import now_us


@pytest.mark.parametrize("rule", ["heart-rate-severe-high", "ventricular-fibrillation", "ecg-read"])
def test_an_alert_in_full(rule: str) -> None:
    made = climbing(1, "amb-001", now_us(), rule=rule)
    why = {
        "heart-rate-severe-high": threshold_why,
        "ventricular-fibrillation": lambda at: rhythm_why(rule, at),
        "ecg-read": st_why,
    }[rule](made["raised_at"])
    feedback = [{"author": "dr.li", "useful": False, "reason": "artefact", "at": now_us()}]
    told_of = [row | {"planned_at": None} for row in told(made)]
    whole = made | detail(made, why, notifications=told_of, feedback=feedback)
    AlertDetail.model_validate(whole)
    AlertDetail.model_validate(whole | {"history": [line(now_us(), "acknowledge", "acknowledged", "dr.li")]})


def test_alerts_ladders_shifts_and_notices() -> None:
    made = tachycardia(1, "amb-001")
    ListedAlert.model_validate(made)
    Ladders.model_validate(ladders())
    ShiftState.model_validate(shift(1, "dr.li", "ed-lead", start=0, end=8))
    msgspec.convert(notice(made, step=1, recipients=["dr.li"]), Notice)


@pytest.mark.parametrize("proposed", ["", "dose", "turn-overdue"])
def test_how_somebody_lies(proposed: str) -> None:
    for care in (lying(None), lying(now_us(), share=0.4, proposed=proposed)):
        PressureCareState.model_validate(care | {"due_at": None, "state": None})  # the page works these out itself
