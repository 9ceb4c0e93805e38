"""Who somebody is stays at the edge: identity numbers become pseudonyms, and refused bytes are not repeated.

A resident identity number has 17 digits (region, date of birth, order) and a check character: ISO 7064 MOD 11-2,
weights 2^(17-i) mod 11, X for ten. Numbers of first-generation cards had 15 digits. Source: GB 11643-1999.

A pseudonym is ``p-`` and 16 characters of base32: 80 bits of HMAC-SHA-256 under a key that is the site's own. Without
the key nobody can try all numbers; the same number gives the same pseudonym at every device of the site.
"""

import base64
import hmac
import re
from hashlib import sha256
from typing import Final

MIN_KEY: Final = 32  # characters; a key of 128 bits in hex has as many
_WEIGHTS: Final = tuple(pow(2, 17 - i, 11) for i in range(17))
_CHECKS: Final = "10X98765432"
_LIKE_AN_IDENTITY: Final = re.compile(r"(?<![0-9])(?:[0-9]{17}[0-9Xx]|[0-9]{15})(?![0-9])")


def check_character(digits: str) -> str:
    """The 18th character for 17 digits."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 11]


def is_identity_number(text: str) -> bool:
    """Whether it is a resident identity number of 18 characters with a right check character."""
    number = text.upper()
    return bool(re.fullmatch(r"[0-9]{17}[0-9X]", number)) and check_character(number[:17]) == number[17]


def has_identity_number(text: str) -> bool:
    """Whether something in the text looks like an identity number, right or mistyped."""
    return bool(_LIKE_AN_IDENTITY.search(text))


def pseudonym(number: str, key: str, prefix: str = "p") -> str:
    """The subject id of whoever has this number."""
    mac = hmac.digest(key.encode(), b"subject:" + number.upper().encode(), sha256)
    return f"{prefix}-{base64.b32encode(mac[:10]).decode().lower()}"


def withheld(frame: bytes) -> bytes:
    """What is kept of refused bytes in which a person may be named: how many they were."""
    return b"%d bytes withheld" % len(frame)
