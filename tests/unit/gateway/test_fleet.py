"""What is known of a unit now."""

from gateway.contract.envelope import Presence
from gateway.fleet import Fleet, Latest
from tests.unit.gateway.builders import NOW, REGISTERED, hello


def fleet() -> Fleet:
    made = Fleet()
    made.register("amb-001", REGISTERED)
    return made


def shown(made: Fleet, quantity: str) -> tuple[float | None, str]:
    found = made.describe("amb-001", 0)["latest"][quantity]
    return found["value"], found["device"]


def test_an_older_value_never_replaces_a_newer_one() -> None:
    made = fleet()
    made.observe("amb-001", "monitor", "spo2", Latest(97, NOW, NOW, False))
    made.observe("amb-001", "monitor", "spo2", Latest(80, NOW - 60_000_000, NOW + 1, False))
    assert shown(made, "spo2") == (97, "monitor")


def test_the_devices_own_value_is_shown_while_it_is_fresh() -> None:
    made = fleet()
    made.observe("amb-001", "monitor", "heart-rate", Latest(80, NOW, NOW, False))
    made.observe("amb-001", "gateway", "heart-rate", Latest(82, NOW + 1_000_000, NOW, True))
    assert shown(made, "heart-rate") == (80, "monitor")
    made.observe("amb-001", "gateway", "heart-rate", Latest(84, NOW + 9_000_000, NOW, True))
    assert shown(made, "heart-rate") == (84, "gateway")


def test_waveform_channels_are_not_shown_as_values() -> None:
    made = fleet()
    made.observe("amb-001", "monitor", "wave/ecg", Latest(None, NOW, NOW, False))
    assert made.describe("amb-001", 0)["latest"] == {}


def test_values_changed_are_handed_out_once() -> None:
    made = fleet()
    made.observe("amb-001", "monitor", "spo2", Latest(97, NOW, NOW, False))
    assert [row[:3] for row in made.take_latest()] == [("amb-001", "monitor", "spo2")]
    assert made.take_latest() == []


def test_a_last_will_of_an_earlier_process_does_not_take_the_unit_offline() -> None:
    made = fleet()
    made.greet("amb-001", hello(NOW, epoch="aa" * 8), NOW)
    made.greet("amb-001", hello(NOW, epoch="bb" * 8), NOW)
    made.greet("amb-001", hello(NOW, epoch="aa" * 8, presence=Presence.OFFLINE), NOW)
    assert made.states["amb-001"].presence is Presence.ONLINE


def test_a_superseded_epoch_that_greets_again_is_a_second_device() -> None:
    made = fleet()
    assert made.greet("amb-001", hello(NOW, epoch="aa" * 8), NOW)
    assert made.greet("amb-001", hello(NOW, epoch="bb" * 8), NOW)
    assert not made.greet("amb-001", hello(NOW, epoch="aa" * 8), NOW)
    assert not made.greet("amb-001", hello(NOW, epoch="bb" * 8), NOW)


def test_a_revoked_unit_is_forgotten() -> None:
    made = fleet()
    made.observe("amb-001", "monitor", "spo2", Latest(97, NOW, NOW, False))
    made.revoke("amb-001")
    assert made.take_latest() == []
    assert made.states == {}
