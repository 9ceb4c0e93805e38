"""Stretcher on a weight transmitter: what conformance does not cover."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import Numeric, Occurrence, Reading
from edge_agents.devices.stretcher_sensor import Decoder, answer, encode
from tests.devices import golden
from tests.devices.played import NEW_YEAR, SECOND, play, said, step


def weighed(weight: float | None, *conditions: str, at: int = golden.ARRIVES_AT) -> Numeric:
    return Numeric(
        observed_at=at, values={} if weight is None else {"weight": weight}, conditions=frozenset(conditions)
    )


READINGS = st.one_of(
    st.sampled_from(["stretcher-loaded", "patient-on-stretcher"]).map(
        lambda name: Occurrence(observed_at=golden.ARRIVES_AT, name=name)
    ),
    st.builds(
        lambda tenths, some: weighed(tenths / 10, *some),
        st.integers(100, 4000),
        st.sets(st.just("battery-low")),
    ),
    st.sets(st.sampled_from(["battery-low", "sensor-fault"])).map(lambda some: weighed(None, *some)),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def names(decoder: Decoder, frame: bytes) -> list[str]:
    return [item.name for item in decoder.feed(frame, 0) if isinstance(item, Occurrence)]


def weights(found: list[Reading], until: float = 60) -> list[float | None]:
    rows = [item for item in found if isinstance(item, Numeric) and item.observed_at <= NEW_YEAR + until * SECOND]
    return [item.values["weight"] for item in rows if "weight" in item.values]


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Numeric(observed_at=0, values={"weight": None}, invalid={"weight": "bored"}, conditions=frozenset()),
        Numeric(observed_at=0, values={"weight": 70.0}, conditions=frozenset({"occlusion"})),
        Numeric(observed_at=0, values={"weight": 70.0}),
        Occurrence(observed_at=0, name="coffee"),
        Occurrence(observed_at=0, name="stretcher-loaded", test=True),
    ],
    ids=repr,
)
def test_what_has_no_registers_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="no registers"):
        encode(reading)


def test_somebody_who_sits_up_is_still_there_and_a_bag_is_nobody() -> None:
    decoder = Decoder()
    assert names(decoder, answer(9.9)) == []
    assert names(decoder, answer(10.0)) == ["patient-on-stretcher"]
    assert names(decoder, answer(5.0)) == []
    assert names(decoder, answer(4.9)) == ["patient-off-stretcher"]
    assert names(decoder, answer(-2.0)) == [], "the mattress was taken off"


def test_a_newborn_is_somebody_where_the_site_says_so() -> None:
    assert names(Decoder(occupied_from="2"), answer(3.1)) == ["patient-on-stretcher"]


def test_of_a_broken_cell_nobody_knows_who_lies_on_it() -> None:
    decoder = Decoder()
    decoder.feed(answer(70.0), 0)
    (broken,) = decoder.feed(answer(0.0, faulty=True), 1)
    assert isinstance(broken, Numeric)
    assert (broken.values, broken.invalid) == ({"weight": None}, {"weight": "sensor-fault"})
    assert broken.conditions == frozenset({"sensor-fault"})
    assert names(decoder, answer(70.0)) == []


def test_an_empty_stretcher_is_weighed_in_silence() -> None:
    decoder = Decoder()
    assert len(decoder.feed(answer(0.2), 0)) == 1, "that nothing is wrong with it"
    assert decoder.feed(answer(0.1), 1) == []


def test_digits_after_the_point_are_the_transmitters() -> None:
    found = Decoder(decimals="2").feed(answer(70.0), 0)
    assert [item for item in found if isinstance(item, Occurrence)] == [], "7.00 kg"


@pytest.mark.parametrize(
    "options", [{"occupied_from": "0"}, {"occupied_from": "x"}, {"decimals": "4"}, {"decimals": "-1"}]
)
def test_options_that_are_none(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Decoder(**options)


def test_a_simulated_patient_is_weighed_only_while_on_the_stretcher() -> None:
    found = play(
        "stretcher_sensor",
        step(2, loaded=True),
        step(7, patient=True, weight=80),
        step(22, patient=False, loaded=False),
        seconds=30,
    )
    assert said(found) == [
        (2, "stretcher-loaded", {}),
        (7, "patient-on-stretcher", {}),
        (22, "stretcher-unloaded", {}),
        (22, "patient-off-stretcher", {}),
    ]
    assert weights(found) == [pytest.approx(80, abs=2)] * 30


def test_a_weak_battery_and_a_broken_cell_are_conditions() -> None:
    found = play("stretcher_sensor", step(1, battery_low=True), step(3, battery_low=False, broken=True), seconds=5)
    stated = [item.conditions for item in found if isinstance(item, Numeric)]
    assert stated == [frozenset(), frozenset({"battery-low"}), frozenset({"sensor-fault"})]
