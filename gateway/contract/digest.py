"""A 32-bit digest of what a record says, without its envelope number: equal content, equal digest."""

from zlib import crc32

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame

_encoder = msgspec.json.Encoder(order="sorted")


def digest_parts(device: str, observed_at: Instant, body: object) -> int:
    """CRC-32 over device, time and body; ``body`` is bytes, or a dict that JSON can hold."""
    content = body if isinstance(body, bytes) else _encoder.encode(body)
    return crc32(content, crc32(f"{device} {observed_at} ".encode()))


def digest(message: Observation | Event | WaveFrame) -> int:
    """CRC-32 of a record's content: (device, observed_at, values | name and details | samples)."""
    match message:
        case Observation():
            return digest_parts(message.device, message.observed_at, message.values)
        case Event():
            return digest_parts(message.device, message.observed_at, {message.name: message.details})
        case WaveFrame():
            return digest_parts(message.device, message.observed_at, message.samples)
