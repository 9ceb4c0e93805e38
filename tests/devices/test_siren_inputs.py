"""Inputs of an ambulance: what conformance does not cover."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import Numeric, Occurrence, Reading, Waveform
from edge_agents.devices import _inputs
from edge_agents.devices.siren_inputs import INPUTS, Decoder, encode
from tests.devices import golden
from tests.devices.played import play, said, step

READINGS = st.builds(
    lambda row, on: Occurrence(
        observed_at=golden.ARRIVES_AT, name=row.on if on else row.off, details=dict(row.details)
    ),
    st.sampled_from(INPUTS),
    st.booleans(),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Occurrence(observed_at=0, name="coffee"),
        Occurrence(observed_at=0, name="door-open"),
        Occurrence(observed_at=0, name="door-open", details={"door": "roof"}),
        Occurrence(observed_at=0, name="lights-on", details={"door": "cab"}),
        Occurrence(observed_at=0, name="lights-on", test=True),
        Waveform(observed_at=0, n0=0, fs=1.0, leads=("I",), scale=1.0, samples=b"\0\0"),
    ],
    ids=repr,
)
def test_what_the_inputs_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="no input says"):
        encode(reading)


def test_an_answer_tells_only_what_has_changed_and_a_part_of_it_only_its_inputs() -> None:
    decoder = Decoder()
    answers = [
        _inputs.frame(0, [True, True, False, False, False, False, False, False]),
        _inputs.frame(1, [False, True]),
        _inputs.frame(0, [True, False, True, False, False, False, False, False]),
        _inputs.frame(0, [False] * 8),
    ]
    names = [[item.name for item in decoder.feed(answer, 0) if isinstance(item, Occurrence)] for answer in answers]
    assert names == [
        ["lights-on", "siren-on", "door-closed", "door-closed", "door-closed"],
        ["siren-off", "door-open"],
        [],
        ["lights-off", "door-closed"],
    ]


def test_a_siren_that_went_off_while_the_agent_was_down_is_told() -> None:
    decoder = Decoder()
    answers = [_inputs.frame(1, [False]), _inputs.frame(1, [False]), _inputs.frame(1, [True])]
    names = [[item.name for item in decoder.feed(answer, 0) if isinstance(item, Occurrence)] for answer in answers]
    assert names == [["siren-off"], [], ["siren-on"]]


def test_the_simulated_inputs_report_changes_and_nothing_twice() -> None:
    found = play(
        "siren_inputs", step(1, lights=True, siren=True), step(2, lights=True, rear=True), step(3, siren=False)
    )
    assert [row for row in said(found) if row[0]] == [
        (1, "lights-on", {}),
        (1, "siren-on", {}),
        (2, "door-open", {"door": "rear"}),
        (3, "siren-off", {}),
    ]
