"""What a site may change of the catalogue, and how it is told what it may not."""

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.adapters import tables
from gateway.adapters.migrate import migrate
from gateway.adapters.rules_file import load_ruleset, note_version
from gateway.adapters.sql import connect
from gateway.config import SettingsError
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.population import Population
from gateway.rules.condition import Combined
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge
from gateway.rules.row import Hours, Priority
from gateway.rules.ruleset import RulesError, default_ruleset, read_ruleset
from gateway.rules.threshold import Thresholds
from tests.unit.gateway.builders import NOW

FILE = b"""
utc-offset = "+09:00"

[alert.heart-rate-high]
limit = 125
for = 30
clear-for = 20
hysteresis = 8
priority = "low"
limits = {neonate = 195}

[alert.premature-beats]
enabled = false

[alert.bed-exit]
hours = "21:00-06:00"

[alert.cargo-warm]
for = 300
limits = {"cargo-temperature-*" = 9}

[place.health-kiosk]
silence = 120
hours = "07:30-17:00"

[place.homecare-bed]
silence = 300
"""


def test_what_a_site_says_goes_before_the_default() -> None:
    ruleset = read_ruleset(FILE)
    row = ruleset.rows["heart-rate-high"]
    threshold = row.threshold
    assert threshold is not None
    assert (threshold.limit, threshold.hysteresis) == (125, 8)
    assert (threshold.for_, threshold.clear_for) == (30 * SECOND, 20 * SECOND)
    assert row.priority is Priority.LOW
    assert (row.limits[Population.NEONATE], row.limits[Population.INFANT]) == (195, 180)
    assert ruleset.rows["bed-exit"].hours == Hours(21 * 60, 6 * 60)
    cargo = ruleset.rows["cargo-warm"].condition
    assert isinstance(cargo, Combined)
    assert [part.threshold.limit for part in cargo.parts] == [9, 8]
    assert ruleset.utc_offset == 9 * HOUR
    assert ruleset.places[UnitKind.HEALTH_KIOSK].hours == Hours(450, 1020)
    assert ruleset.places[UnitKind.HOMECARE_BED].silence == 5 * MINUTE
    assert ruleset.rows["heart-rate-low"] == default_ruleset().rows["heart-rate-low"]


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[alert.heart-rate-hihg]\nlimit = 1", "alert.heart-rate-hihg", "unknown alert"),
        ("[alert.heart-rate-high]\nlimit = 'x'", "alert.heart-rate-high.limit", "Expected `float"),
        ("[alert.heart-rate-high]\nlimit = 400", "alert.heart-rate-high.limit", "expected 0 to 350 /min, found 400"),
        ("[alert.heart-rate-high]\nlimits = {adlt = 100}", "alert.heart-rate-high.limits.adlt", "expected one of"),
        ("[alert.heart-rate-high]\nlimitt = 100", "alert.heart-rate-high", "limitt"),
        ("[alert.heart-rate-high]\nfor = -1", "alert.heart-rate-high.for", ">= 0"),
        ("[alert.heart-rate-high]\npriority = 'urgent'", "alert.heart-rate-high.priority", "urgent"),
        ("[alert.heart-rate-high]\nhours = '8-18'", "alert.heart-rate-high.hours", "HH:MM-HH:MM"),
        ("[alert.bp-systolic-high]\nlimits = {infant = 100}", "alert.bp-systolic-high.limits.infant", "made for adult"),
        ("[alert.asystole]\nenabled = false", "alert.asystole.enabled", "cannot be switched off"),
        ("[alert.ventricular-fibrillation]\npriority = 'medium'", "ventricular-fibrillation.priority", "stays high"),
        ("[alert.ventricular-tachycardia]\nhours = '08:00-18:00'", "ventricular-tachycardia.hours", "counts always"),
        ("[alert.pause]\nlimit = 3", "alert.pause.limit", "no limit"),
        ("[alert.pause]\nrepeat = 3", "alert.pause.repeat", "no limit"),
        ("[alert.heart-rate-high]\nrepeat = 60", "alert.heart-rate-high.repeat", "one reading raises at once"),
        ("[alert.bp-systolic-severe-low]\nrepeat = 60", "bp-systolic-severe-low.repeat", "only of medium and low"),
        ("[alert.bp-systolic-low]\nrepeat = 60\npriority = 'high'", "bp-systolic-low.repeat", "only of medium and low"),
        ("[alert.glucose-high]\nrepeat = 60", "alert.glucose-high.repeat", "one reading raises at once"),
        ("[alert.bp-raised]\nrepeat = 60", "alert.bp-raised.repeat", "one reading raises at once"),
        ("[alert.bp-urgent]\nrepeat = 60", "alert.bp-urgent.repeat", "one reading raises at once"),
        ("[alert.pause]\nlimits = {adult = 3}", "alert.pause.limits", "no limit per population"),
        ("[alert.bp-urgent]\nlimit = 170", "alert.bp-urgent.limit", "[alert.bp-urgent.limits]"),
        ("[alert.spo2-low]\nlimit = 84", "alert.spo2-low.limit", "beyond spo2-severe's 85"),
        ("[place.ward]\nsilence = 5", "place.ward", "expected one of ambulance"),
        ("[place.ambulance]\nsilence = 0", "place.ambulance.silence", "> 0"),
        ("utc-offset = 8", "utc-offset", "+HH:MM"),
        ("[alarm.x]\nlimit = 5", "alarm", "expected utc-offset, alert or place"),
        ("alert = 5", "alert", "expected a table"),
        ("[alert", "not TOML", ""),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_was_expected(
    tmp_path: Path, text: str, key: str, expected: str
) -> None:
    with pytest.raises(RulesError) as caught:
        read_ruleset(text.encode())
    assert key in str(caught.value)
    assert expected in str(caught.value)
    (tmp_path / "alerts.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"alerts\.toml: "):
        load_ruleset(tmp_path)


def test_the_version_changes_with_every_thing_that_decides_and_with_nothing_else() -> None:
    default = default_ruleset().version
    assert read_ruleset(b"# a comment\n").version == default
    assert read_ruleset(b"[alert.heart-rate-high]\nlimit = 130\n").version == default
    changes = ["limit = 131", "for = 11", "clear-for = 9", "hysteresis = 4", "priority = 'low'", "enabled = false",
               "hours = '08:00-18:00'", "limits = {infant = 181}"]  # fmt: skip
    versions = {read_ruleset(f"[alert.heart-rate-high]\n{change}".encode()).version for change in changes}
    assert len(versions) == len(changes)
    assert default not in versions
    assert read_ruleset(b"[place.ambulance]\nsilence = 61").version != default


def test_an_alert_says_the_version_that_made_it() -> None:
    ruleset = read_ruleset(FILE)
    rules = Rules(Thresholds(ruleset))
    found = [
        one
        for second in range(40)
        for one in rules.value(
            "u", "m", "heart-rate", 126, NOW + second * SECOND, 0, derived=False, simulated=False
        )
    ]  # fmt: skip
    assert [(one.row.priority, one.limit, one.details["rules_version"]) for one in found] == [
        (Priority.LOW, 125, ruleset.version)
    ]
    silent = rules.silence("u", None, None, True, NOW, NOW, False)
    assert silent.details["rules_version"] == ruleset.version


def test_what_is_switched_off_or_outside_its_hours_is_not_raised() -> None:
    rules = Rules(Thresholds(read_ruleset(FILE)))
    midnight = NOW - NOW % (24 * HOUR) - 9 * HOUR  # of the site

    def raised(hour: int) -> list[Edge]:
        found = rules.report("b", "bed", "bed-exit", {}, midnight + hour * HOUR, simulated=False, mutes=lambda _: False)
        return [one.edge for one in found]

    assert [raised(hour) for hour in (3, 12, 22)] == [[Edge.RAISE], [], [Edge.RAISE]]
    event = {"code": "premature-beats", "state": "on", "device": "monitor"}
    assert rules.report("b", "gateway", "rhythm", event, NOW, simulated=False, mutes=lambda _: False) == []


def test_a_new_version_is_audited_once_with_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_bytes(FILE)
    engine = connect(tmp_path / "x.db")
    migrate(engine)
    ruleset = load_ruleset(tmp_path)
    with engine.begin() as db:
        assert note_version(db, ruleset, NOW)
        assert not note_version(db, ruleset, NOW + 1)
        assert note_version(db, default_ruleset(), NOW + 2)
        rows = db.execute(select(tables.audit_log.c.target, tables.audit_log.c.details)).all()
    engine.dispose()
    assert [row.target for row in rows] == [ruleset.version, default_ruleset().version]
    assert '"limit": 125' in rows[0].details
    assert tomllib.loads(FILE.decode())["alert"].keys() == ruleset.overrides["alert"].keys()
