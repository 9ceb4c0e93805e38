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
from gateway.derive.plans import PlanKind
from gateway.derive.population import Population
from gateway.derive.scores import blood_pressure, fetal, glucose, peak_flow, rehab, uploads
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.places import PLACES

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
        "task": {place.task for place in PLACES.values() if place.task} | {tier.act for tier in uploads.TIERS},
    }  # fmt: skip
    keys = [f"{prefix}.{code}" for prefix, codes in told.items() for code in codes]
    assert [key for key in keys if f'"{key}"' not in words] == []


def test_whatever_a_reading_is_called_has_its_words() -> None:
    words = "".join(path.read_text() for path in (APP / "src" / "text").glob("*.ts"))
    codes = {
        blood_pressure.NAME: ["hypotension", "normal"]
        + [g.code for t in blood_pressure.TABLES.values() for g in t.grades],
        glucose.NAME: [*(code for code, _ in glucose.CLASSES), glucose.HIGHEST],
        peak_flow.NAME: ["green", "yellow", "red"],
        rehab.NAME: ["below", "within", "stop"],
        fetal.NAME: ["filling", "signal-loss", *(fetal.code_of(rate) for rate in (100, 140, 180))],
    }
    keys = [f"code.{name}.{code}" for name, several in codes.items() for code in several]
    keys += [f"words.{name}.plain" for name in codes]
    keys += [f"source.{name}" for name in codes.keys() - {blood_pressure.NAME}]
    keys += [f"source.{blood_pressure.NAME}.{name}" for name in blood_pressure.TABLES]
    keys += [f"plan.{kind}" for kind in PlanKind]
    assert [key for key in keys if f'"{key}"' not in words] == []


def test_roles_may_do_on_the_page_what_the_gateway_allows() -> None:
    rows = re.findall(r'^  "?([a-z-]+)"?: \[(.*)\],$', (APP / "src" / "state" / "may.ts").read_text(), re.MULTILINE)
    assert {name for name, _ in rows} == {
        "acknowledge", "silence", "judge-alerts", "set-limits", "record-turn", "command-devices", "keep-roster",
    }  # fmt: skip
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
