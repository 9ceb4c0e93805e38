"""Links: TCP, a serial port (a pseudo-terminal), recordings."""

import asyncio
import os
import pty
import termios
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import wfdb

from edge_agents.clock import SystemClock
from edge_agents.config import ConfigError
from edge_agents.device import Numeric, Occurrence, Reading, Waveform
from edge_agents.links import open_link
from edge_agents.links.replay import ReplayLink
from edge_agents.links.serial_stream import TcpLink, TtyLink
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE


class TestBytes:
    async def test_tcp_says_when_it_is_connected_and_ends_with_the_device(self) -> None:
        async def device(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(device, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = open_link(f"tcp://127.0.0.1:{port}", Stream(), SystemClock())
        assert isinstance(link, TcpLink)
        chunks = [data async for data, _ in link.stream()]
        assert chunks == [b"", b"hello"]
        server.close()
        await server.wait_closed()
        with pytest.raises(OSError, match="Connect"):
            [data async for data, _ in link.stream()]

    async def test_a_serial_port_gives_every_byte_unchanged(self) -> None:
        master, slave = pty.openpty()
        try:
            link = open_link(f"{os.ttyname(slave)}?baud=9600", Stream(), SystemClock())
            assert isinstance(link, TtyLink)
            every_byte = bytes(range(256))
            got = b""
            async with aclosing(link.stream()) as stream, asyncio.timeout(10):
                async for data, _ in stream:
                    if not data:
                        os.write(master, every_byte)
                    got += data
                    if len(got) == 256:
                        break
            assert got == every_byte
        finally:
            os.close(master)
            os.close(slave)

    async def test_a_serial_port_that_does_not_take_its_settings_is_a_broken_connection(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise termios.error(5, "Input/output error")

        monkeypatch.setattr(termios, "tcsetattr", refuse)
        master, slave = pty.openpty()
        try:
            link = open_link(os.ttyname(slave), Stream(), SystemClock())
            assert isinstance(link, TtyLink)
            with pytest.raises(OSError, match="Input/output error"):
                await anext(link.stream())
        finally:
            os.close(master)
            os.close(slave)

    @pytest.mark.parametrize(
        "address", ["", "udp://h:1", "tcp://h", "tcp://h:x", "/dev/ttyS0?baud=31", "wfdb:/no/such.hea", "monitor"]
    )
    def test_addresses_that_name_nothing_are_refused(self, address: str) -> None:
        with pytest.raises(ConfigError):
            open_link(address, Stream(), SystemClock())


class Frozen:
    """A wall clock that stands, and a monotonic one that runs."""

    def now(self) -> Instant:
        return 1_790_000_000_000_000

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def play(path: Path, options: str = "speed=0") -> list[Reading]:
    link = open_link(f"wfdb:{path}?{options}", None, Frozen())
    assert isinstance(link, ReplayLink)
    return [reading async for reading in link.readings()]


def assembled(readings: list[Reading]) -> tuple[tuple[str, ...], np.ndarray]:
    """Leads and physical values (n, leads) of contiguous frames."""
    frames = [r for r in readings if isinstance(r, Waveform)]
    leads = frames[0].leads
    expected = 0
    columns = []
    for frame in frames:
        assert frame.n0 == expected, "contiguous"
        samples = np.frombuffer(frame.samples, "<i2").reshape(len(leads), -1)
        expected += samples.shape[1]
        columns.append(np.where(samples == NO_SAMPLE, np.nan, samples * frame.scale))
    return leads, np.concatenate(columns, axis=1).T


@pytest.mark.data
class TestRecordings:
    async def test_twelve_leads_are_bit_exact(self, recordings: Path) -> None:
        readings = await play(recordings / "ecg-12lead" / "E07501.hea")
        leads, physical = assembled(readings)
        assert leads == ECG_LEADS_12
        record = wfdb.rdrecord(str(recordings / "ecg-12lead" / "E07501"))
        np.testing.assert_allclose(physical, record.p_signal, rtol=0, atol=1e-12)
        assert len(readings) == 50
        assert readings[-1].observed_at + 200_000 == Frozen().now(), "the recording's end is not in the future"

    async def test_format_212_with_its_baseline(self, recordings: Path) -> None:
        leads, physical = assembled(await play(recordings / "ecg-mitdb" / "106.hea"))
        record = wfdb.rdrecord(str(recordings / "ecg-mitdb" / "106"))
        assert leads == ("MLII", "V1")
        np.testing.assert_allclose(physical, record.p_signal, rtol=0, atol=1e-12)

    async def test_a_large_offset_is_rounded_and_that_is_said(self, recordings: Path) -> None:
        readings = await play(recordings / "ecg-af" / "data_101_6.hea")
        said = [r for r in readings if isinstance(r, Occurrence)]
        assert [r.name for r in said] == ["recording-rounded"]
        first = [r for r in readings if isinstance(r, Waveform) and r.leads == ("I",)]
        _, physical = assembled(list(first))
        record = wfdb.rdrecord(str(recordings / "ecg-af" / "data_101_6"))
        np.testing.assert_allclose(physical[:, 0], record.p_signal[:, 0], rtol=0, atol=0.0003)

    async def test_signals_nobody_can_name_are_reported_not_dropped_silently(self, recordings: Path) -> None:
        readings = await play(recordings / "ecg-12lead" / "s0010_re.hea")
        said = [r for r in readings if isinstance(r, Occurrence)]
        assert said[0].details == {"signals": {"vy": "a second ECG", "vz": "a second ECG"}}

    async def test_numerics_have_the_names_of_the_contract_and_none_for_a_hole(self, recordings: Path) -> None:
        record = next((recordings / "icu-numerics").glob("*.hea"))
        numerics = [r for r in await play(record) if isinstance(r, Numeric)]
        assert len(numerics) == 1936
        assert set(numerics[0].values) == {
            "heart-rate", "pulse-rate", "resp-rate", "spo2", "bp-systolic", "bp-diastolic", "bp-mean",
        }  # fmt: skip
        physical = wfdb.rdrecord(str(record.with_suffix(""))).p_signal
        column = np.array([np.nan if (v := r.values["bp-systolic"]) is None else v for r in numerics])
        np.testing.assert_allclose(column, physical[:, 7])
        assert numerics[1].observed_at - numerics[0].observed_at == 60_000_000

    async def test_speed_is_kept(self, recordings: Path) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        readings = await play(recordings / "ecg-12lead" / "E07501.hea", "speed=10")
        assert len(readings) == 50
        assert loop.time() - started >= 0.98

    async def test_a_loop_goes_on_without_a_seam(self, recordings: Path) -> None:
        link = open_link(f"wfdb:{recordings}/ecg-12lead/E07501.hea?speed=0&loop=1", None, Frozen())
        assert isinstance(link, ReplayLink)
        readings: list[Reading] = []
        async with aclosing(link.readings()) as stream:
            async for reading in stream:
                readings.append(reading)
                if len(readings) == 60:
                    break
        _, physical = assembled(readings)
        np.testing.assert_array_equal(physical[5000:], physical[:1000])

    async def test_a_broken_record_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "x.hea").write_text("x 1 500 5000\nx.dat 16 1000/mV 16 0 0 0 0 II\n")
        with pytest.raises(OSError, match=r"x\.dat"):
            await play(tmp_path / "x.hea")
