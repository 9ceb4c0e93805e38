"""Pages of a list: an opaque cursor is the sort key of the last row of the page before."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.api.ports import PageRequest, Row
from gateway.api.problems import ProblemError, Reason
from gateway.api.schemas import MAX_INSTANT

_Position = tuple[int, str]
_decoder = msgspec.json.Decoder(_Position)


def page_request(limit: int, cursor: str | None) -> PageRequest:
    """What to ask the database for: one row more than the page holds, to know whether there is a next one.

    Raises:
        ProblemError: 422, not a cursor of ours.
    """
    return PageRequest(limit + 1, None if cursor is None else _decode(cursor))


def _decode(cursor: str) -> _Position:
    try:
        position: _Position = _decoder.decode(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise ProblemError(422, Reason.INVALID_CURSOR, "not a cursor of this API") from error
    if not -MAX_INSTANT <= position[0] <= MAX_INSTANT:
        raise ProblemError(422, Reason.INVALID_CURSOR, "not a cursor of this API")
    return position


def page_of(rows: Sequence[Row], request: PageRequest, key: Callable[[Row], _Position]) -> dict[str, Any]:
    """The page as it is answered."""
    items = rows[: request.limit - 1]
    more = len(rows) > len(items)
    return {"items": items, "next": _encode(key(items[-1])) if more else None}


def _encode(position: _Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode()
