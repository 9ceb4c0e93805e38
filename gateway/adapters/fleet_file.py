"""The fleet as a spreadsheet: devices, people, addresses of home beds, out and in again.

An import looks at every row before it changes anything: either all of them are right and one transaction takes them
all, or each wrong cell is named and nothing is changed. An empty cell leaves what is known; nothing is ever deleted.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.adapters import tables
from gateway.adapters.spreadsheet import Cell, Sheet
from gateway.contract.topic import is_id

_PSEUDONYM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,35}")
_SERIAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,63}")
_SEXES: Final = {
    "female": "female", "male": "male", "other": "other", "unknown": "unknown",
    "女": "female", "男": "male", "其他": "other", "不详": "unknown",
}  # fmt: skip


class Wrong(ValueError):
    """A cell that is not what its column holds; the text is what was expected."""


class Problem(msgspec.Struct, frozen=True):
    """One wrong cell."""

    sheet: str
    row: int
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.sheet}, row {self.row}, {self.column}: expected {self.expected}, found {self.found or 'nothing'}"


def _id(text: str) -> str:
    if not is_id(text):
        raise Wrong("1 to 48 of a-z, 0-9 and -")
    return text


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise Wrong(expected)
        return text

    return read


def _short(longest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > longest:
            raise Wrong(f"at most {longest} characters")
        return text

    return read


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Wrong("a day as YYYY-MM-DD") from None


def _sex(text: str) -> str:
    try:
        return _SEXES[text.lower()]
    except KeyError:
        raise Wrong("female, male, other or unknown") from None


def _degrees(most: int) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = most + 1.0
        if not -most <= value <= most:
            raise Wrong(f"degrees from -{most} to {most} (WGS-84)")
        return value

    return read


class Column(msgspec.Struct, frozen=True):
    """A column: its name here, its header in Chinese, and what a cell of it means."""

    name: str
    chinese: str
    read: Callable[[str], Any]
    needed: bool = False


class Form(msgspec.Struct, frozen=True):
    """A sheet's name, its name in Chinese, its columns; ``key``: no two rows may have it in common."""

    name: str
    chinese: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def column(self, header: str) -> Column | None:
        """The column a header names, in either language."""
        word = header.strip().lower().replace(" ", "_")
        return next((one for one in self.columns if word in (one.name, one.chinese)), None)


DEVICES: Final = Form("devices", "设备", (
    Column("unit", "单元", _id, needed=True),
    Column("device", "设备", _id, needed=True),
    Column("kind", "类型", _matching(re.compile(r"[a-z][a-z0-9_]{0,31}"), "a kind as `lastmile devices` names it")),
    Column("serial", "序列号", _matching(_SERIAL, "letters, digits, space and . / _ - (at most 64)")),
    Column("calibration_due", "校准到期", _day),
), ("unit", "device"))  # fmt: skip
PEOPLE: Final = Form("people", "人员", (
    Column("id", "编号", _matching(_PSEUDONYM, "a pseudonym: letters, digits and . _ - (at most 36)")),
    Column("name", "姓名", _short(200)),
    Column("sex", "性别", _sex),
    Column("birth_date", "出生日期", _day),
    Column("identifier", "证件号", _short(100)),
), ("id",))  # fmt: skip
ADDRESSES: Final = Form("addresses", "地址", (
    Column("unit", "单元", _id, needed=True),
    Column("address", "地址", _short(500), needed=True),
    Column("contact", "联系人", _short(200)),
    Column("phone", "电话", _short(40)),
    Column("latitude", "纬度", _degrees(90)),
    Column("longitude", "经度", _degrees(180)),
), ("unit",))  # fmt: skip
FORMS: Final = (DEVICES, PEOPLE, ADDRESSES)


class Entry(msgspec.Struct, frozen=True):
    """A row that could be read: column name to value; empty cells are left out."""

    sheet: str
    row: int
    values: dict[str, Any]

    def problem(self, column: str, expected: str) -> Problem:
        return Problem(self.sheet, self.row, column, expected, str(self.values.get(column, "")))


# ---- reading --------------------------------------------------------------------------------------------------------


def parse(sheets: Iterable[Sheet]) -> tuple[dict[str, list[Entry]], list[Problem]]:
    """The rows of the known sheets, and every cell that is wrong."""
    entries: dict[str, list[Entry]] = {form.name: [] for form in FORMS}
    problems: list[Problem] = []
    for sheet in sheets:
        form = next((form for form in FORMS if sheet.name.strip().lower() in (form.name, form.chinese)), None)
        if form is None:
            names = ", ".join(form.name for form in FORMS)
            problems.append(Problem(sheet.name, 1, "sheet", f"a sheet named {names}", sheet.name))
            continue
        columns = _columns(form, sheet, problems)
        rows = [_entry(sheet.name, columns, number, cells, problems) for number, cells in sheet.rows]
        _find_repeats(form, rows, problems)
        entries[form.name] += rows
    return entries, problems


def _columns(form: Form, sheet: Sheet, problems: list[Problem]) -> list[Column | None]:
    found = [form.column(header) for header in sheet.header]
    known = ", ".join(column.name for column in form.columns)
    problems += [
        Problem(sheet.name, 1, header, f"one of {known}", header)
        for header, column in zip(sheet.header, found, strict=True)
        if column is None
    ]
    problems += [
        Problem(sheet.name, 1, column.name, f"a column {column.name} ({column.chinese})", "")
        for column in form.columns
        if column.needed and column not in found
    ]
    twice = sorted({column.name for column in found if column is not None and found.count(column) > 1})
    problems += [Problem(sheet.name, 1, name, "one column of this name", "several") for name in twice]
    return found


def _entry(sheet: str, columns: list[Column | None], number: int, cells: list[Cell], problems: list[Problem]) -> Entry:
    values: dict[str, Any] = {}
    for position, column in enumerate(columns):
        cell = cells[position] if position < len(cells) else Cell()
        if column is None:
            continue
        try:
            if cell.trouble:
                raise Wrong(f"text, not {cell.trouble}")  # noqa: TRY301 - one place that notes what is wrong
            if cell.text:
                values[column.name] = column.read(cell.text)
            elif column.needed:
                raise Wrong("something")  # noqa: TRY301
        except Wrong as wrong:
            problems.append(Problem(sheet, number, column.name, str(wrong), cell.text))
    beyond = [cell for cell in cells[len(columns) :] if cell.text]
    problems += [Problem(sheet, number, "beyond the header", "nothing", cell.text) for cell in beyond]
    return Entry(sheet, number, values)


def _find_repeats(form: Form, rows: list[Entry], problems: list[Problem]) -> None:
    seen: dict[tuple[Any, ...], int] = {}
    for entry in rows:
        key = tuple(entry.values.get(name) for name in form.key)
        if None in key:
            continue
        if key in seen:
            problems.append(entry.problem(form.key[-1], f"each {' and '.join(form.key)} once (row {seen[key]} has it)"))
        seen.setdefault(key, entry.row)


# ---- writing --------------------------------------------------------------------------------------------------------


def export(connection: Connection) -> list[Sheet]:
    """Everything an import takes, as it is now."""
    return [_filled(DEVICES, _devices(connection)), _filled(PEOPLE, _people(connection)),
            _filled(ADDRESSES, _addresses(connection))]  # fmt: skip


def _filled(form: Form, rows: Iterable[Any]) -> Sheet:
    names = [column.name for column in form.columns]
    body = [
        (number, [Cell("" if row[name] is None else str(row[name])) for name in names])
        for number, row in enumerate(rows, 2)
    ]
    return Sheet(form.name, names, body)


def _devices(connection: Connection) -> list[Any]:
    """Devices heard of or entered; of units that are not revoked."""
    return [
        {"unit": unit, "device": device, **known} for (unit, device), known in sorted(devices_now(connection).items())
    ]


def devices_now(connection: Connection) -> dict[tuple[str, str], dict[str, Any]]:
    """What is known of each device: kind, serial, calibration_due."""
    known: dict[tuple[str, str], dict[str, Any]] = {}
    live = select(tables.unit.c.id).where(tables.unit.c.revoked_at.is_(None))
    for table in (tables.device, tables.device_care):
        for row in connection.execute(select(table).where(table.c.unit.in_(live))).mappings():
            one = known.setdefault((row["unit"], row["device"]), dict.fromkeys(("kind", "serial", "calibration_due")))
            one |= {name: row[name] for name in one if name in row}
    serial = tables.device_serial
    for row in connection.execute(select(serial).where(serial.c.to_at.is_(None), serial.c.unit.in_(live))).mappings():
        known.setdefault((row["unit"], row["device"]), dict.fromkeys(("kind", "calibration_due")))["serial"] = row[
            "serial"
        ]
    return known


def _people(connection: Connection) -> Iterable[Any]:
    return connection.execute(select(tables.person).order_by(tables.person.c.created_at, tables.person.c.id)).mappings()


def _addresses(connection: Connection) -> Iterable[Any]:
    return connection.execute(select(tables.home_address).order_by(tables.home_address.c.unit)).mappings()
