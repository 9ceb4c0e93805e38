"""The page's own tables agree with the contract; what it is built from names no download address."""

import json
import re
from pathlib import Path

from edge_agents import kinds
from gateway.contract.quantity import LEADS, QUANTITIES
from gateway.rules.catalogue import CATALOGUE

APP = Path(__file__).parents[2] / "dashboards" / "live"
ROW = re.compile(r'^  "?([a-z0-9-]+)"?: \{ unit: "([^"]+)", shown: .*expectedInterval: (.+?) \},$', re.MULTILINE)
SECOND = 1_000_000


def _interval(text: str) -> int:
    number, _, unit = text.rpartition(" * ") if "*" in text else ("1", "", text)
    return int(number) * {"SECOND": SECOND, "MINUTE": 60 * SECOND, "0": 0}[unit]


def test_quantities_are_those_of_the_contract() -> None:
    rows = ROW.findall((APP / "src" / "quantities.ts").read_text())
    assert {name for name, _, _ in rows} == QUANTITIES.keys(), "every quantity can be shown"
    for name, unit, interval in rows:
        assert (unit, _interval(interval)) == (QUANTITIES[name].unit, QUANTITIES[name].expected_interval), name


def test_every_quantity_event_and_command_has_its_words() -> None:
    words = "".join(path.read_text() for path in (APP / "src" / "text").glob("*.ts"))
    wanted = {f"q.{name}" for name in QUANTITIES}
    for kind in kinds.all_kinds():
        wanted |= {f"event.{name}" for name in kind.events}
    assert [key for key in sorted(wanted) if f'"{key}"' not in words] == []


def test_every_alert_has_its_words() -> None:
    words = "".join(path.read_text() for path in (APP / "src" / "text").glob("*.ts"))
    assert [code for code in CATALOGUE if f'"rule.{code}"' not in words] == []


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
