"""Makes the table of docs/proof.md from the JSON files fault tests leave in LASTMILE_PROOF_DIR.

``python scripts/fault_table.py FOLDER docs/proof.md`` replaces what stands between the two marks of the document.
"""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- begin: fault table -->", "<!-- end: fault table -->"


def row(account: dict[str, Any]) -> str:
    """One test as a line of the table."""
    name = account["test"].rpartition("/")[2].replace("test_", "", 1).replace(".py::test_", ": ")
    facts = ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in account["facts"].items())
    totals = account["totals"]
    stored = totals.get("stored", "")
    lost = totals["missing"] + totals["gone"] if totals else ""
    cells = [name, facts, stored, totals.get("shed", ""), lost, totals.get("duplicates", "")]
    counts = "full" if account["full"] else "tenth"
    cells += [account["seconds"], counts, account["at"], account["outcome"]]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _short(value: Any) -> str:
    return ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)


def table(accounts: list[dict[str, Any]]) -> str:
    """All tests, by file and name, and the machine they ran on."""
    head = "| test | what was done | stored | shed | lost | duplicates | seconds | counts | date | outcome |"
    rule = "|---|---|---:|---:|---:|---:|---:|---|---|---|"
    rows = [row(account) for account in sorted(accounts, key=lambda account: str(account["test"]))]
    passed = sum(account["outcome"] == "passed" for account in accounts)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    return "\n".join([f"{passed} of {len(accounts)} passed. Machine: {machine}.", "", head, rule, *rows])


def main(folder: Path, document: Path) -> int:
    """Rewrites the table in the document; 1 when a test of it did not pass."""
    accounts = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    before, found, rest = document.read_text("utf-8").partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not accounts or not found or not ended:
        print(f"no accounts in {folder}, or no marks in {document}", file=sys.stderr)
        return 2
    document.write_text(f"{before}{BEGIN}\n{table(accounts)}\n{END}{after}", "utf-8")
    return 0 if all(account["outcome"] == "passed" for account in accounts) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
