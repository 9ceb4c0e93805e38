"""The seam of the bridge: a codec makes contract records of one foreign message. One file a codec."""

from typing import Final, Protocol

import msgspec

from gateway.contract.envelope import RESERVED_EPOCH
from gateway.contract.refusal import RefusalReason
from gateway.contract.topic import UnitAddress
from gateway.contract.wire import Numbered

UNNUMBERED: Final = RESERVED_EPOCH  # the epoch of a record that has no number yet; the gateway would refuse it


class Origin(msgspec.Struct, frozen=True):
    """Whom a foreign message speaks for, as far as its topic and the map say."""

    address: UnitAddress
    device: str = ""  # "" = only the payload can tell


class CodecError(ValueError):
    """A message no record can be made of; ``reason`` is counted and shown."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Codec(Protocol):
    """Translates the messages of one mapping. Pure: no clock, no I/O."""

    def decode(self, origin: Origin, payload: bytes) -> list[Numbered]:
        """The records the payload holds, at least one, with epoch ``UNNUMBERED``; the bridge numbers them.

        Raises:
            CodecError: with the reason; nothing else is raised for any input.
        """
        ...
