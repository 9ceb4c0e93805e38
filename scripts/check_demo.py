"""Judges the report of `lastmile demo --report FILE`: something is stored, nothing lost, nothing stored twice."""

import json
import sys
from pathlib import Path
from typing import Any, Final

WANTED: Final = {"lost": 0, "duplicates": 0}


def faults(report: dict[str, Any]) -> list[str]:
    """What is wrong with it; empty when nothing is."""
    found = [f"{key} is {report.get(key)}, expected {want}" for key, want in WANTED.items() if report.get(key) != want]
    return found if report.get("stored") else [*found, "nothing was stored"]


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    found = faults(report)
    print("demo: " + ("; ".join(found) or f"{report['stored']} records stored, none lost, none twice"))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
