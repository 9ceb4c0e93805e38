"""Electrodes that are off for long: a graver alert beside the low one."""

from tests.unit.alerts.clinic import Clinic


def test_electrodes_off_for_long_call_somebody_and_speak_for_the_milder_alert_of_that_device() -> None:
    clinic = Clinic()
    clinic.begin("lead-off", subject="device/ward-1/monitor")
    assert clinic.told("lead-off") == [], "a low alert pages nobody"
    clinic.begin("lead-off-long", subject="device/ward-1/monitor", seconds=60)
    assert [notice.role for notice in clinic.notices] == ["nurse"], "who looks after the patient, not the devices"
    assert clinic.standing("lead-off", "device/ward-1/monitor").inhibited_by is not None
    other = clinic.begin("lead-off", subject="device/ward-1/patch", device="patch")
    assert other.inhibited_by is None, "another device's electrodes"
