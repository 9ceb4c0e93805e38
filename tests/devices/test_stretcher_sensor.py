"""Stretcher on a weight transmitter: what conformance does not cover."""

from collections.abc import Iterable

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices.stretcher_sensor import Decoder, answer, encode
from tests.devices import golden
from tests.devices.played import NEW_YEAR, SECOND, play, said, step


def weighed(weight: float | None, *conditions: str, at: int = golden.ARRIVES_AT) -> Numeric:
    return Numeric(
        observed_at=at, values={} if weight is None else {"weight": weight}, conditions=frozenset(conditions)
    )


READINGS = st.one_of(
    st.sampled_from(["stretcher-loaded", "stretcher-unloaded", "patient-on-stretcher", "patient-off-stretcher"]).map(
        lambda name: Occurrence(observed_at=golden.ARRIVES_AT, name=name)
    ),
    st.builds(
        lambda tenths, some: weighed(tenths / 10, *some),
        st.integers(100, 4000),
        st.sets(st.just("battery-low")),
    ),
    st.builds(
        lambda wrong, battery: weighed(None, *wrong, *battery),
        st.sampled_from([[], ["sensor-fault"], ["out-of-measuring-range"]]),
        st.sampled_from([[], ["battery-low"]]),
    ),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def names(decoder: Decoder, frame: bytes) -> list[str]:
    return [item.name for item in decoder.feed(frame, 0) if isinstance(item, Occurrence)]


def weights(found: Iterable[Reading | FrameError], until: float = 60) -> list[float | None]:
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
    assert names(decoder, answer(9.9)) == ["stretcher-unloaded", "patient-off-stretcher"]
    assert names(decoder, answer(10.0)) == ["patient-on-stretcher"]
    assert names(decoder, answer(5.0)) == []
    assert names(decoder, answer(4.9)) == ["patient-off-stretcher"]
    assert names(decoder, answer(-2.0)) == [], "the mattress was taken off"


def test_a_newborn_is_somebody_where_the_site_says_so() -> None:
    assert "patient-on-stretcher" in names(Decoder(occupied_from="2"), answer(3.1))


def test_who_was_taken_off_while_the_agent_was_down_is_told() -> None:
    assert names(Decoder(), answer(0.0)) == ["stretcher-unloaded", "patient-off-stretcher"]
    assert names(Decoder(), answer(0.0, loaded=True)) == ["stretcher-loaded", "patient-off-stretcher"]


@pytest.mark.parametrize(
    ("wrong", "condition", "reason"),
    [("faulty", "sensor-fault", "sensor-fault"), ("overloaded", "out-of-measuring-range", "out-of-range")],
)
@pytest.mark.parametrize("stable", [False, True])
def test_of_what_cannot_be_weighed_nobody_knows_who_lies_on_it(
    wrong: str, condition: str, reason: str, stable: bool
) -> None:
    decoder = Decoder()
    decoder.feed(answer(70.0), 0)
    (broken,) = decoder.feed(answer(0.0, stable=stable, **{wrong: True}), 1)
    assert isinstance(broken, Numeric)
    assert (broken.values, broken.invalid) == ({"weight": None}, {"weight": reason})
    assert broken.conditions == frozenset({condition})
    assert names(decoder, answer(70.0)) == []


def test_a_weight_that_has_not_come_to_rest_is_none_but_somebody_who_moves_is_there() -> None:
    decoder = Decoder()
    moving = decoder.feed(answer(43.0, stable=False), 0)
    assert [item.name for item in moving if isinstance(item, Occurrence)][-1] == "patient-on-stretcher"
    assert weights(moving) == []
    assert decoder.feed(answer(55.0, stable=False), 1) == []
    assert weights(decoder.feed(answer(70.0), 2)) == [70.0]
    assert names(decoder, answer(2.0, stable=False)) == ["patient-off-stretcher"]


def test_an_empty_stretcher_is_weighed_in_silence() -> None:
    decoder = Decoder()
    decoder.feed(answer(0.2), 0)
    assert decoder.feed(answer(0.1), 1) == []


def test_digits_after_the_point_are_the_transmitters() -> None:
    assert "patient-off-stretcher" in names(Decoder(decimals="2"), answer(70.0)), "7.00 kg"


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
    assert said(found)[2:] == [
        (2, "stretcher-loaded", {}),
        (7, "patient-on-stretcher", {}),
        (22, "stretcher-unloaded", {}),
        (22, "patient-off-stretcher", {}),
    ]
    assert weights(found) == [pytest.approx(80, abs=2)] * 30


def test_a_weak_battery_and_a_broken_cell_are_conditions() -> None:
    found = play(
        "stretcher_sensor",
        step(1, battery_low=True),
        step(3, battery_low=False, broken=True),
        step(4, broken=False, overloaded=True),
        seconds=5,
    )
    stated = [item.conditions for item in found if isinstance(item, Numeric)]
    codes = [[], ["battery-low"], ["sensor-fault"], ["out-of-measuring-range"]]
    assert stated == [frozenset(some) for some in codes]


def test_a_simulated_patient_who_moves_is_not_weighed() -> None:
    found = play("stretcher_sensor", step(1, patient=True, moving=True), step(20, moving=False), seconds=25)
    assert (weights(found, until=19.9), len(weights(found))) == ([], 11)
