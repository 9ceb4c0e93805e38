"""The page's own tables agree with the contract; what it is built from names no download address."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from edge_agents import kinds
from gateway.alerts.alert import Mark, Move, State
from gateway.alerts.ladder import SETTINGS, Setting
from gateway.alerts.notice import Means, Reason
from gateway.alerts.roster import CONTACTS, Duty
from gateway.api.notification_schemas import DeliveryState
from gateway.api.permissions import ALLOWED
from gateway.contract.quantity import LEADS, QUANTITIES
from gateway.derive.population import Population
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


def test_what_is_told_of_alerts_has_its_words() -> None:
    words = "".join(path.read_text() for path in (APP / "src" / "text").glob("*.ts"))
    told: dict[str, Iterable[str]] = {
        "state": State, "move": [*Move, *Mark], "duty": Duty, "means": Means, "why-told": Reason, "setting": Setting,
        "delivery": DeliveryState, "population": Population,
    }  # fmt: skip
    keys = [f"{prefix}.{code}" for prefix, codes in told.items() for code in codes]
    assert [key for key in keys if f'"{key}"' not in words] == []


def test_roles_may_do_on_the_page_what_the_gateway_allows() -> None:
    rows = re.findall(r'^  "?([a-z-]+)"?: \[(.*)\],$', (APP / "src" / "state" / "may.ts").read_text(), re.MULTILINE)
    assert {name for name, _ in rows} == {"acknowledge", "silence", "judge-alerts", "keep-roster"}
    for name, roles in rows:
        assert set(re.findall(r'"([a-z]+)"', roles)) == {role for role, actions in ALLOWED.items() if name in actions}


def test_duties_and_settings_are_the_gateways() -> None:
    source = (APP / "src" / "state" / "roster.ts").read_text()
    duties = source[source.index("DUTIES = [") : source.index("] as const")]
    assert set(re.findall(r'"([a-z-]+)"', duties)) == set(Duty) - CONTACTS
    rows = re.findall(r'^  "?([a-z-]+)"?: "([a-z]+)",$', source, re.MULTILINE)
    assert dict(rows) == {str(kind): str(setting) for kind, setting in SETTINGS.items()}


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
