"""ECG patch: blocks, electrode, clock."""

import struct

import pytest
from hypothesis import strategies as st

from edge_agents.device import Numeric, Reading, Waveform
from edge_agents.devices.ecg_patch import Decoder, encode
from gateway.contract.waveform import NO_SAMPLE

READINGS = st.builds(
    lambda ms, n0, samples, test: block(ms, n0, samples, test=test),
    st.integers(1, 4_000_000_000_000),
    st.integers(0, 0xFFFF_FFFF),
    st.lists(st.integers(NO_SAMPLE, 32767), min_size=1, max_size=250),
    st.booleans(),
)


def block(ms: int, n0: int, samples: list[int], *, test: bool = False) -> Waveform:
    return Waveform(
        observed_at=ms * 1000, n0=n0, fs=250.0, leads=("ECG",), scale=0.005,
        samples=struct.pack(f"<{len(samples)}h", *samples), filter="0.5-40 Hz", test=test,
    )  # fmt: skip


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def test_the_electrode_coming_off_and_on_again_is_said_once_each() -> None:
    decoder = Decoder()
    on, off = block(1, 0, [5, 6]), block(1, 0, [NO_SAMPLE, NO_SAMPLE])
    said = [
        [set(item.conditions or ()) for item in decoder.feed(encode(sent), 0) if isinstance(item, Numeric)]
        for sent in (on, off, off, on, on)
    ]
    assert said == [[], [{"sensor-off"}], [], [set()], []]


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"spo2": 97.0}),
        block(0, 0, [1]),  # a time that means "clock never set"
        block(1, 0, [1] * 251),
        Waveform(observed_at=1000, n0=0, fs=500.0, leads=("ECG",), scale=0.005, samples=b"\x00\x00"),
    ],
)
def test_what_a_patch_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)
