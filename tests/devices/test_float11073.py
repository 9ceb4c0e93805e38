"""SFLOAT and FLOAT of ISO/IEEE 11073-20601."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agents.devices._float11073 import (
    SPECIAL_FLOAT,
    SPECIAL_SFLOAT,
    float32,
    pack_float32,
    pack_sfloat,
    sfloat,
)

# worked examples of the standard, of HL7's Personal Health Device guide and of the SIG's transcoding white paper
SFLOATS = [
    (0x0078, 120.0), (0xF4B0, 120.0), (0xF16C, 36.4), (0x0FFF, -1.0), (0xC037, 0.0055), (0xB063, 0.00099),
    (0xF014, 2.0), (0xE0C8, 2.0), (0x1001, 10.0), (0x7001, 10_000_000.0), (0xF803, -204.5), (0x07FD, 2045.0),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "value"), SFLOATS)
def test_worked_sfloats(raw: int, value: float) -> None:
    assert sfloat(raw) == (value, "")


@pytest.mark.parametrize(
    ("text", "value"), [("6c0100ff", 36.4), ("b00e00fe", 37.6), ("01000002", 100.0), ("ffffff00", -1.0)]
)
def test_worked_floats(text: str, value: float) -> None:
    assert float32(int.from_bytes(bytes.fromhex(text), "little")) == (value, "")


def test_the_five_special_values_of_each_are_no_numbers() -> None:
    for table, read, pack in ((SPECIAL_SFLOAT, sfloat, pack_sfloat), (SPECIAL_FLOAT, float32, pack_float32)):
        assert len(table) == 5
        for raw, reason in table.items():
            assert read(raw) == (None, reason)
            assert int.from_bytes(pack(None, reason), "little") == raw


@given(st.integers(0, 0xFFFF))
def test_every_sfloat_that_is_a_number_can_be_written_and_read_again(raw: int) -> None:
    value, reason = sfloat(raw)
    if value is None:
        assert reason
    else:
        again, _ = sfloat(int.from_bytes(pack_sfloat(value, finest=-8), "little"))
        assert again == pytest.approx(value, rel=0.003)  # 2046 and 2047 are no numbers with exponent 0


@given(st.floats(-1e9, 1e9))
def test_a_float_keeps_six_digits(value: float) -> None:
    again, _ = float32(int.from_bytes(pack_float32(value), "little"))
    assert again == pytest.approx(value, rel=1e-6, abs=0.0051)


def test_what_is_too_large_is_not_written() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        pack_sfloat(1e12)
