"""The option ``utc_offset`` of devices whose clock shows local time and does not say which."""

import re
from datetime import timedelta, timezone
from typing import Final

_OFFSET: Final = re.compile(r"([+-])(0[0-9]|1[0-4]):?([0-5][0-9])")


def zone(text: str) -> timezone | None:
    """Of "+0800" or "+08:00"; None when it is no offset."""
    if not (found := _OFFSET.fullmatch(text)):
        return None
    east = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(east if found[1] == "+" else -east)


def zone_option(text: str) -> timezone:
    """The same of an option.

    Raises:
        ValueError: it is no offset.
    """
    if (known := zone(text)) is None:
        raise ValueError(f"utc_offset {text!r}: expected +HHMM or -HHMM")
    return known
