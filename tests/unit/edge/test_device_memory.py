"""What outlives an agent: the measurements a device has given, and its firmware."""

from pathlib import Path

import pytest

from edge_agents.device_memory import MOST, DeviceMemory


def test_what_was_noted_is_known_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db.devices"
    memory = DeviceMemory(path)
    memory.note_had("meter", [b"\x18\x2a1", b"\x18\x2a2"])
    memory.note_had("cuff", [b"\x35\x2a"])
    memory.note_firmware("cuff", "1.3")
    memory.note_firmware("cuff", "1.4")
    for _ in range(2):  # also of one that noted nothing itself
        later = DeviceMemory(path)
        assert later.had("meter") == [b"\x18\x2a1", b"\x18\x2a2"]
        assert later.had("cuff") == [b"\x35\x2a"]
        assert (later.firmware("cuff"), later.firmware("meter")) == ("1.4", "")
        assert later.had("nobody") == []


def test_a_line_that_was_not_finished_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "devices"
    memory = DeviceMemory(path)
    memory.note_had("meter", [b"1", b"2"])
    path.write_bytes(path.read_bytes()[:-3])
    again = DeviceMemory(path)
    assert again.had("meter") == [b"1"]
    again.note_had("meter", [b"3"])
    assert DeviceMemory(path).had("meter") == [b"1", b"3"], "the next line is not glued to the broken one"


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"device": 7}\n', b'{"device":"a","had":"zz"}\n', b"\n\n[]\n"])
def test_a_file_that_is_not_ours_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "devices"
    path.write_bytes(content)
    assert DeviceMemory(path).had("a") == []


def test_it_does_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "devices"
    memory = DeviceMemory(path)
    sizes = []
    for number in range(6 * MOST):
        memory.note_had("logger", [number.to_bytes(4, "big")])
        sizes.append(path.stat().st_size)
    line = sizes[0]
    assert max(sizes) <= (4 + 1) * MOST * line, "a logger gives a record every ten seconds for as long as it runs"
    newest = [number.to_bytes(4, "big") for number in range(5 * MOST, 6 * MOST)]
    assert memory.had("logger") == newest == DeviceMemory(path).had("logger")
    assert path.stat().st_size == MOST * line


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "devices"
    path.mkdir()  # neither read nor written to
    memory = DeviceMemory(path)
    memory.note_had("meter", [b"1"])
    memory.note_firmware("meter", "x" * 1000)
    assert memory.had("meter") == [b"1"]
    assert memory.firmware("meter") == "x" * 64
