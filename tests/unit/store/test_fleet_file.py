"""The fleet as a spreadsheet: out and in again changes nothing, a wrong cell is named, and one wrong cell stops all."""

import csv
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine, insert, select

from gateway.adapters import audit_log, fleet_file, fleet_import, spreadsheet, tables
from gateway.adapters.fleet_import import Plan
from gateway.adapters.sql import Database
from tests.unit.store.records import START

KINDS = frozenset({"patient_monitor", "gnss", "mattress"})
LATER = START + 1_000_000
FORMS = ("fleet.xlsx", "fleet")


@pytest.fixture
def fleet(engine: Engine) -> Iterator[Database]:
    """An ambulance with two devices, a home bed with an address, two people."""
    bed = {"id": "bed-1", "site": "city", "kind": "homecare-bed", "name": "B", "provenance": "live"}
    with engine.begin() as db:
        db.execute(insert(tables.unit).values(**bed, token_hash="0" * 64, registered_at=0))
        for device in ("monitor", "gnss"):
            db.execute(insert(tables.device).values(unit="amb-001", device=device, first_seen_at=START))
        care = {"unit": "amb-001", "device": "monitor", "kind": "patient_monitor", "calibration_due": "2027-03-01"}
        db.execute(insert(tables.device_care).values(care))
        serial = {"unit": "amb-001", "device": "monitor", "serial": "SN-1", "from_at": START, "recorded_by": "ops"}
        db.execute(insert(tables.device_serial).values(serial))
        wang = {"id": "p-1", "name": "王小明", "sex": "male", "birth_date": "1962-04-30", "identifier": "X1"}
        db.execute(insert(tables.person).values(**wang, created_at=START))
        db.execute(insert(tables.person).values(id="p-2", name="=cmd|' /C calc'!A0", created_at=START + 1))
        home = {
            "unit": "bed-1",
            "address": "临沂市 1 号\n2 单元",
            "contact": "",
            "phone": "+86 539 123",
            "latitude": 35.1,
        }
        db.execute(insert(tables.home_address).values(**home, longitude=-118.25))
    database = Database(engine)
    yield database
    database.close()


def export(fleet: Database, path: Path) -> None:
    spreadsheet.write(path, fleet.submit(fleet_file.export).result())


def take(fleet: Database, path: Path, *, dry: bool = False) -> tuple[list[str], Plan]:
    """Problems and plan of an import, carried out when there is no problem."""
    entries, problems = fleet_file.parse(spreadsheet.read(path))

    def job(connection: Any) -> Plan:
        planned = fleet_import.plan(connection, entries, KINDS)
        if not (problems or planned.problems or dry):
            fleet_import.carry_out(connection, planned, LATER, "tester", path.name)
        return planned

    planned = fleet.submit(job).result()
    return [str(problem) for problem in problems + planned.problems], planned


def everything(engine: Engine) -> dict[str, list[Any]]:
    names = ("device", "device_care", "device_serial", "person", "home_address", "audit_log")
    with engine.connect() as db:
        return {name: [tuple(row) for row in db.execute(select(tables.metadata.tables[name]))] for name in names}


def sheet(path: Path, name: str, *rows: list[Any]) -> Path:
    """A workbook or folder with one sheet."""
    if path.suffix == ".xlsx":
        book = Workbook()
        page = book.active
        assert page is not None
        page.title = name
        for row in rows:
            page.append(row)
        book.save(path)
    else:
        path.mkdir(exist_ok=True)
        with (path / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows(rows)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_an_export_taken_in_again_changes_nothing(fleet: Database, tmp_path: Path, form: str) -> None:
    path = tmp_path / form
    export(fleet, path)
    before = everything(fleet.engine)
    problems, planned = take(fleet, path)
    assert problems == []
    assert planned.changes == []
    assert everything(fleet.engine) == before


@pytest.mark.parametrize("form", FORMS)
def test_an_export_fills_an_empty_house(fleet: Database, tmp_path: Path, form: str) -> None:
    path = tmp_path / form
    export(fleet, path)
    before = everything(fleet.engine)
    with fleet.engine.begin() as db:
        for name in ("device_care", "device_serial", "person", "home_address"):
            db.execute(tables.metadata.tables[name].delete())
    assert take(fleet, path)[0] == []
    after = everything(fleet.engine)
    assert after["home_address"] == before["home_address"]
    assert [row[:5] for row in after["person"]] == [row[:5] for row in before["person"]]
    assert [row[3] for row in after["device_serial"]] == ["SN-1"]
    assert ("amb-001", "monitor", "patient_monitor", "2027-03-01") in after["device_care"]
    [line] = after["audit_log"]
    assert (line[2], line[3], line[4]) == ("tester", "fleet-imported", form)
    assert '"device amb-001/monitor"' in line[5]
    assert "王小明" not in line[5], "the audit log names people by pseudonym"
    assert fleet.submit(audit_log.verify).result() == []


def test_text_that_looks_like_a_formula_stays_text(fleet: Database, tmp_path: Path) -> None:
    export(fleet, tmp_path / "fleet.xlsx")
    export(fleet, tmp_path / "fleet")
    cell = load_workbook(tmp_path / "fleet.xlsx")["people"]["B3"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == ("=cmd|' /C calc'!A0", "s", True)
    text = (tmp_path / "fleet" / "people.csv").read_text(encoding="utf-8-sig")
    assert "'=cmd|' /C calc'!A0" in text
    addresses = (tmp_path / "fleet" / "addresses.csv").read_text(encoding="utf-8-sig")
    assert "'+86 539 123" in addresses
    assert "-118.25" in addresses
    assert "'-118.25" not in addresses, "a number is no formula"


@pytest.mark.parametrize("form", FORMS)
def test_a_formula_is_refused(fleet: Database, tmp_path: Path, form: str) -> None:
    path = sheet(tmp_path / form, "devices", ["unit", "device", "serial"], ["amb-001", "monitor", '="SN"&2'])
    problems, _ = take(fleet, path)
    assert problems == ['devices, row 2, serial: expected text, not a formula, found ="SN"&2']


def test_files_hold_names_so_only_their_owner_can_read_them(fleet: Database, tmp_path: Path) -> None:
    export(fleet, tmp_path / "fleet.xlsx")
    export(fleet, tmp_path / "fleet")
    for path in (tmp_path / "fleet.xlsx", tmp_path / "fleet" / "people.csv"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("form", FORMS)
def test_chinese_headers_and_what_programs_make_of_cells(fleet: Database, tmp_path: Path, form: str) -> None:
    header = ["编号", "姓名", "性别", "出生日期", "证件号"]
    path = sheet(tmp_path / form, "人员", header, ["p-1", " 王小明 ", "男", "1962-04-30", "X1"])
    assert take(fleet, path)[0] == []
    assert take(fleet, path)[1].changes == []


def test_dates_and_numbers_of_a_workbook_are_read_as_meant(fleet: Database, tmp_path: Path) -> None:
    header = ["Unit", "Device", "Serial", "Calibration due"]
    path = sheet(tmp_path / "a.xlsx", "Devices", header, ["amb-001", "gnss", 20418.0, datetime(2027, 5, 6)])  # noqa: DTZ001
    assert take(fleet, path)[0] == []
    known = fleet.submit(fleet_file.devices_now).result()["amb-001", "gnss"]
    assert (known["serial"], known["calibration_due"]) == ("20418", "2027-05-06")


def test_a_csv_as_programs_in_china_save_it(fleet: Database, tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    folder.mkdir()
    (folder / "people.csv").write_bytes("编号,姓名\r\np-3,李四\r\n".encode("gb18030"))
    assert take(fleet, folder)[0] == []
    with fleet.engine.connect() as db:
        assert db.execute(select(tables.person.c.name).where(tables.person.c.id == "p-3")).scalar() == "李四"


WRONG = [
    ("devices", ["unit", "device"], ["amb-009", "monitor"], "devices, row 2, unit: expected a registered unit"),
    ("devices", ["unit", "device"], ["amb-001", "Monitor!"], "expected 1 to 48 of a-z, 0-9 and -, found Monitor!"),
    ("devices", ["unit", "device"], ["amb-001", ""], "row 2, device: expected something, found nothing"),
    ("devices", ["unit", "device", "kind"], ["amb-001", "gnss", "gps"], "row 2, kind: expected one of gnss, mattress"),
    ("devices", ["unit", "device", "kind"], ["amb-001", "gnss", "GPS"], "kind: expected a kind as `lastmile devices`"),
    ("devices", ["unit", "device", "calibration_due"], ["amb-001", "gnss", "next May"], "expected a day as YYYY-MM-DD"),
    ("devices", ["unit", "device", "serial"], ["amb-001", "gnss", "SN-1"], "(amb-001/monitor has it)"),
    ("devices", ["unit", "device", "serail"], ["amb-001", "gnss", "1"], "row 1, serail: expected one of unit, device"),
    ("devices", ["unit", "serial"], ["amb-001", "1"], "row 1, device: expected a column device (设备), found nothing"),
    ("devices", ["unit", "device", "device"], ["amb-001", "gnss", "gnss"], "expected one column of this name"),
    ("devices", ["unit", "device"], ["amb-001", "gnss", "", "x"], "beyond the header: expected nothing, found x"),
    ("people", ["id", "sex"], ["p-9", "m"], "row 2, sex: expected female, male, other or unknown, found m"),
    ("people", ["id", "identifier"], ["p-9", "X1"], "identifier: expected an identifier nobody else has, found X1"),
    ("people", ["id", "name"], ["", "x"], "row 2, id: expected an id or an identifier"),
    ("people", ["id"], ["p 9"], "row 2, id: expected a pseudonym"),
    ("addresses", ["unit", "address"], ["amb-001", "x"], "row 2, unit: expected a registered home bed, found amb-001"),
    ("addresses", ["unit", "address", "latitude"], ["bed-1", "x", "35"], "longitude: expected both latitude and"),
    ("addresses", ["unit", "address", "latitude"], ["bed-1", "x", "95"], "latitude: expected degrees from -90 to 90"),
    ("rooms", ["unit"], ["bed-1"], "rooms, row 1, sheet: expected a sheet named devices, people, addresses"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "header", "row", "said"), WRONG)
@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_cell_is_named_and_nothing_is_changed(
    fleet: Database, tmp_path: Path, form: str, name: str, header: list[str], row: list[str], said: str
) -> None:
    path = sheet(tmp_path / form, name, header, row)
    before = everything(fleet.engine)
    problems, _ = take(fleet, path)
    assert any(said in problem for problem in problems), problems
    assert everything(fleet.engine) == before


def test_one_wrong_row_stops_the_right_ones(fleet: Database, tmp_path: Path) -> None:
    rows = [
        ["amb-001", "gnss", "SN-5"],
        ["amb-001", "monitor", "SN-6"],
        ["amb-001", "gnss", "SN-7"],
        ["amb-404", "x", ""],
    ]
    path = sheet(tmp_path / "a.xlsx", "devices", ["unit", "device", "serial"], *rows)
    before = everything(fleet.engine)
    problems, planned = take(fleet, path)
    assert [problem.split(":")[0] for problem in problems] == ["devices, row 4, device", "devices, row 5, unit"]
    assert planned.changes, "it knew what it would have changed"
    assert everything(fleet.engine) == before


def test_a_dry_run_says_what_would_change(fleet: Database, tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.xlsx", "devices", ["unit", "device", "serial"], ["amb-001", "monitor", "SN-2"])
    before = everything(fleet.engine)
    problems, planned = take(fleet, path, dry=True)
    assert problems == []
    assert [str(change) for change in planned.changes] == [
        "changed device amb-001/monitor  serial: SN-1 -> SN-2, calibration_due: 2027-03-01 -> none"
    ]
    assert everything(fleet.engine) == before


def test_two_boxes_may_change_places_in_one_file(fleet: Database, tmp_path: Path) -> None:
    first = [["amb-001", "monitor", "SN-1"], ["amb-001", "gnss", "SN-2"]]
    take(fleet, sheet(tmp_path / "a.xlsx", "devices", ["unit", "device", "serial"], *first))
    swapped = [["amb-001", "monitor", "SN-2"], ["amb-001", "gnss", "SN-1"]]
    path = sheet(tmp_path / "b.xlsx", "devices", ["unit", "device", "serial"], *swapped)
    entries, _ = fleet_file.parse(spreadsheet.read(path))

    def job(connection: Any) -> Plan:
        planned = fleet_import.plan(connection, entries, KINDS)
        fleet_import.carry_out(connection, planned, LATER + 5, "tester", "b.xlsx")
        return planned

    assert fleet.submit(job).result().problems == []
    with fleet.engine.connect() as db:
        c = tables.device_serial.c
        boxes = db.execute(select(c.device, c.serial, c.from_at, c.to_at).order_by(c.from_at, c.device)).all()
    assert [tuple(box) for box in boxes] == [
        ("monitor", "SN-1", START, LATER + 5),
        ("gnss", "SN-2", LATER, LATER + 5),
        ("gnss", "SN-1", LATER + 5, None),
        ("monitor", "SN-2", LATER + 5, None),
    ]


def test_an_empty_cell_leaves_what_is_known(fleet: Database, tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.xlsx", "people", ["id", "name", "identifier"], ["p-1", "", ""])
    assert take(fleet, path)[1].changes == []


def test_somebody_is_found_by_their_identifier(fleet: Database, tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.xlsx", "people", ["name", "identifier"], ["王大明", "X1"], ["新人", "X2"])
    _, planned = take(fleet, path)
    assert [(change.key[0] == "p-1", bool(change.before)) for change in planned.changes] == [
        (True, True),
        (False, False),
    ]
    assert take(fleet, path)[1].changes == [], "taken in again it is known"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"<html>"])
def test_what_is_no_workbook_is_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(spreadsheet.SpreadsheetError, match="not a workbook"):
        spreadsheet.read(path)


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    for name in ("a.xlsx", "nothing"):
        with pytest.raises(spreadsheet.SpreadsheetError, match=r"expected an .xlsx file or a folder"):
            spreadsheet.read(tmp_path / name)


def test_a_csv_in_an_unknown_encoding_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(b"\xff\xff\xff\xff")
    with pytest.raises(spreadsheet.SpreadsheetError, match="neither UTF-8 nor GB 18030"):
        spreadsheet.read(tmp_path)


def test_a_quote_that_does_not_end_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text('id,name\np-1,"x\n')
    with pytest.raises(spreadsheet.SpreadsheetError, match="unexpected end of data"):
        spreadsheet.read(tmp_path)


@pytest.mark.parametrize(
    ("device", "columns", "due"),
    [
        ("monitor", {"serial": "SN-9"}, None),
        ("monitor", {"serial": "SN-9", "calibration_due": "2028-01-01"}, "2028-01-01"),
        ("monitor", {"serial": "SN-9", "calibration_due": "2027-03-01"}, "2027-03-01"),
        ("monitor", {"serial": "SN-1"}, "2027-03-01"),
        ("gnss", {"serial": "SN-9"}, "2027-07-01"),
    ],
)
def test_a_calibration_leaves_with_its_box(
    fleet: Database, tmp_path: Path, device: str, columns: dict[str, str], due: str | None
) -> None:
    with fleet.engine.begin() as db:
        row = {"unit": "amb-001", "device": "gnss", "kind": "gnss", "calibration_due": "2027-07-01"}
        db.execute(insert(tables.device_care).values(row))
    path = sheet(tmp_path / "fleet", "devices", ["unit", "device", *columns], ["amb-001", device, *columns.values()])
    problems, planned = take(fleet, path)
    assert problems == []
    assert fleet.submit(fleet_file.devices_now).result()["amb-001", device].get("calibration_due") == due
    told = any("calibration_due: 2027-03-01 -> none" in str(change) for change in planned.changes)
    assert told is (due is None), "a dry run says so"
