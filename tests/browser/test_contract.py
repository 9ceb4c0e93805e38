"""The page's own tables agree with the contract; what it is built from names no download address."""

import json
import re
from pathlib import Path

from gateway.contract.quantity import LEADS, QUANTITIES

APP = Path(__file__).parents[2] / "dashboards" / "live"
ROW = re.compile(
    r'^  "?([a-z0-9-]+)"?: \{ unit: "([^"]+)", shown: .*expectedInterval: ([^ ]+(?: \* MINUTE)?) \},$', re.MULTILINE
)
SECOND = 1_000_000


def _interval(text: str) -> int:
    return SECOND if text == "SECOND" else int(text.split(maxsplit=1)[0]) * 60 * SECOND


def test_quantities_are_those_of_the_contract() -> None:
    rows = ROW.findall((APP / "src" / "quantities.ts").read_text())
    assert len(rows) >= 12
    for name, unit, interval in rows:
        assert (unit, _interval(interval)) == (QUANTITIES[name].unit, QUANTITIES[name].expected_interval), name


def test_every_lead_of_the_contract_has_a_place() -> None:
    source = (APP / "src" / "quantities.ts").read_text() + (APP / "src" / "ui" / "unit.tsx").read_text()
    assert [lead for lead in LEADS if f'"{lead}"' not in source] == []


def test_the_lock_names_checksums_and_no_addresses() -> None:
    text = (APP / "package-lock.json").read_text()
    assert "resolved" not in text
    assert ".tgz" not in text
    assert "registry" not in text
    packages = json.loads(text)["packages"]
    assert [name for name, row in packages.items() if name and "integrity" not in row] == []
