"""Writes docs/devices.md: the table of ``lastmile devices``. A test compares."""

from pathlib import Path

from edge_agents.kinds import as_table

DOCUMENT = Path(__file__).parent.parent / "docs" / "devices.md"
HEAD = """# Devices

Every kind of device, as `lastmile devices` prints it (`--json` for programs). Written by `make docs` from the device
files: do not edit. Technical conditions are in *italics*. How to add one: [new-device.md](new-device.md).

"""


def text() -> str:
    """The whole document."""
    return f"{HEAD}{as_table()}\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), "utf-8")
