"""Where the public recordings are: $LASTMILE_DATA, or the folder beside the clone, as for the tests."""

import os
from pathlib import Path
from typing import Final

BESIDE_THE_CLONE: Final = Path(__file__).parents[3] / "shared" / "data"


def recordings_folder() -> Path | None:
    """None = there are none here."""
    if named := os.environ.get("LASTMILE_DATA"):
        return Path(named)
    return BESIDE_THE_CLONE if BESIDE_THE_CLONE.is_dir() else None
