"""Passwords: argon2id, and secrets that are only kept as a hash."""

import hashlib
import secrets
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

# OWASP password storage cheat sheet: argon2id, 19 MiB, 2 passes, 1 lane.
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256


def hash_password(password: str) -> str:
    """argon2id hash in PHC form."""
    return _hasher.hash(password)


@cache
def _nobody() -> str:
    return hash_password(secrets.token_urlsafe(16))


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether they fit. ``None`` (unknown user) costs the same time and never fits."""
    try:
        _hasher.verify(password_hash or _nobody(), password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return password_hash is not None


def new_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """SHA-256 hex: enough for a secret that is random itself."""
    return hashlib.sha256(secret.encode()).hexdigest()
