"""Version 1 of the wire, pinned: golden bytes decode to exactly these messages, and they encode to those bytes."""

import struct
from pathlib import Path

import pytest

from gateway.contract.envelope import (
    Ack,
    DeviceLink,
    DeviceState,
    Hello,
    Lane,
    LaneAck,
    LaneState,
    LinkMode,
    Presence,
    SeqRange,
)
from gateway.contract.observation import Command, Event, Observation, Reply
from gateway.contract.topic import UPLINK, Channel, TopicError, parse_topic
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.contract.wire import MAX_MESSAGE_BYTES, Message, WireError, WireReason, decode, encode

V1 = Path(__file__).parents[2] / "golden" / "wire" / "v1"
EPOCH, OLD_EPOCH = "9f86d081884c7d65", "00000000000000ff"

EXPECTED: dict[str, Message] = {
    "obs-vitals.json": Observation(
        epoch=EPOCH, seq=41, device="monitor", observed_at=1795312800123456,
        values={"heart-rate": 71.5, "spo2": 97.0, "resp-rate": None, "temperature": 36.6},
        invalid={"resp-rate": "lead-off"},
    ),
    "obs-backfill.json": Observation(
        epoch=EPOCH, seq=0, device="gnss", observed_at=1795312800000000, backfill=True, test=True,
        values={"latitude": 31.2304, "longitude": 121.4737, "speed": 42.5},
    ),
    "event-boarded.json": Event(
        epoch=EPOCH, seq=3, device="crew", observed_at=1795312805000000, name="boarded", details={"button": 2}
    ),
    "event-plain.json": Event(epoch=EPOCH, seq=4, device="monitor", observed_at=1795312806000000, name="lead-off"),
    "wave-two-leads.hex": WaveFrame(
        epoch=EPOCH, seq=12, device="monitor", observed_at=1795312800200000, backfill=True, test=True, n0=1200,
        fs=500.0, leads=["I", "II"], scale=0.005, samples=struct.pack("<6h", 1, -2, 3, NO_SAMPLE, 32767, 0),
        filter="0.05-150 Hz",
    ),
    "wave-pleth.hex": WaveFrame(
        epoch=EPOCH, seq=13, device="monitor", observed_at=1795312800200000, n0=72, fs=60.0, leads=["pleth"],
        scale=0.001, samples=struct.pack("<2h", 100, -100),
    ),
    "hello-online.json": Hello(
        presence=Presence.ONLINE, epoch=EPOCH, sent_at=1795312810000000,
        lanes=[
            LaneState(epoch=EPOCH, lane=Lane.OBS, first=40, next=42),
            LaneState(epoch=OLD_EPOCH, lane=Lane.WAVE, first=7, next=100, shed=[SeqRange(3, 6)], gone=[SeqRange(1, 1)]),
        ],
        profile="ambulance", firmware="0.1.0", battery=87.5, outbox_records=95, outbox_bytes=240000,
        link_mode=LinkMode.WEAK, clock_offset=-1500, clock_error=800, simulated=True,
    ),
    "hello-devices.json": Hello(
        presence=Presence.ONLINE, epoch=EPOCH, sent_at=1795312820000000, profile="health_kiosk",
        devices=[
            DeviceState(device="cuff", kind="blood_pressure_monitor", link=DeviceLink.DISCONNECTED, firmware="1.4"),
            DeviceState(device="card", kind="card_reader", link=DeviceLink.CONNECTED),
            DeviceState(device="scale", link=DeviceLink.SILENT), DeviceState(device="ecg"),
        ],
    ),
    "hello-last-will.json": Hello(presence=Presence.OFFLINE, epoch=EPOCH, sent_at=1795312790000000),
    "ack-full.json": Ack(
        server_time=1795312810004000,
        lanes=[
            LaneAck(epoch=EPOCH, lane=Lane.OBS, watermark=42),
            LaneAck(epoch=OLD_EPOCH, lane=Lane.WAVE, watermark=100, missing=[SeqRange(7, 9), SeqRange(12, 12)]),
        ],
        hello_sent_at=1795312810000000, hello_received_at=1795312810002000,
    ),
    "ack-empty.json": Ack(server_time=1795312811004000, lanes=[]),
    "cmd.json": Command(id="c-0001", name="resend-hello", arguments={"lanes": ["obs"]}, expires_at=1795312900000000),
    "cmd-device.json": Command(
        id="c-0002", name="set-mattress-mode", arguments={"mode": "static"}, expires_at=1795312900000000,
        device="mattress",
    ),
    "reply-accepted.json": Reply(
        id="c-0002", epoch=EPOCH, accepted=True, result={"mode": "static", "pressure": 30}
    ),
    "reply.json": Reply(id="c-0001", epoch=EPOCH, accepted=False, reason="unknown-command"),
}  # fmt: skip


def golden(path: Path) -> bytes:
    return bytes.fromhex(path.read_text()) if path.suffix == ".hex" else path.read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("name", EXPECTED)
def test_golden_bytes_and_message_are_one(name: str) -> None:
    payload, channel = golden(V1 / name), Channel(Path(name).stem.partition("-")[0])
    assert decode(channel, payload) == EXPECTED[name]
    assert encode(EXPECTED[name]) == payload


def test_every_golden_file_is_tested_and_every_channel_has_one() -> None:
    files = {path.name for path in V1.iterdir() if path.is_file()}
    assert files == set(EXPECTED)
    assert {Path(name).stem.partition("-")[0] for name in files} == {str(channel) for channel in Channel}


def refuse(path: Path) -> WireReason:
    """The reason the bad example of this file is refused for."""
    if path.suffix == ".topic":
        try:
            _, channel = parse_topic(path.read_text())
        except TopicError:
            return WireReason.TOPIC
        assert channel not in UPLINK
        return WireReason.CHANNEL
    payload, channel = golden(path), Channel.OBS
    if path.suffix == ".padding":
        payload = golden(V1 / "obs-vitals.json").ljust(int(path.read_text()))
        assert len(payload) == MAX_MESSAGE_BYTES + 1
    else:
        channel = Channel(path.name.split(".")[1])
    with pytest.raises(WireError) as caught:
        decode(channel, payload)
    return caught.value.reason


@pytest.mark.parametrize("reason", WireReason)
def test_every_reason_has_a_bad_example(reason: WireReason) -> None:
    examples = list((V1 / "bad").glob(f"{reason}.*"))
    assert examples, f"no bad example for {reason}"
    assert {refuse(path) for path in examples} == {reason}
