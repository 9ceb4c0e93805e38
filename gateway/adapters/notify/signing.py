"""Signatures of Standard Webhooks 1.0 (standardwebhooks.com): HMAC-SHA256 of ``id.timestamp.body``."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

import msgspec

PREFIX: Final = "whsec_"
KEY_BYTES: Final = (24, 64)  # what the specification allows


class SigningKey(msgspec.Struct, frozen=True):
    """A symmetric key."""

    key: bytes

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """Of ``whsec_`` and base64.

        Raises:
            ValueError: it is something else; the text says what was expected, not what was found.
        """
        try:
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not text.startswith(PREFIX) or not KEY_BYTES[0] <= len(key) <= KEY_BYTES[1]:
            raise ValueError(f"expected {PREFIX} and base64 of {KEY_BYTES[0]} to {KEY_BYTES[1]} random bytes")
        return cls(key)

    def __repr__(self) -> str:
        return "SigningKey(...)"


def sign(key: SigningKey, id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``. ``timestamp``: s since 1970."""
    digest = hmac.new(key.key, b"%s.%d.%s" % (id.encode(), timestamp, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
