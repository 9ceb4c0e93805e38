"""Sheets of text, as an .xlsx workbook or as a folder of .csv files that spreadsheet programs open.

A cell a program would compute is never taken for data: formulas are refused on the way in, and text that looks like
one is written as text (in a workbook by its type, in CSV behind an apostrophe, which comes off again when it is read).
"""

import csv
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font
from openpyxl.utils.exceptions import InvalidFileException

MOST_BYTES: Final = 64 << 20
MOST_ROWS: Final = 200_000
_LIKE_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_NO_DATA: Final = {"f": "a formula", "e": "an error", "b": "a truth value"}  # openpyxl's types of cells
_ENCODINGS: Final = ("utf-8-sig", "gb18030")  # what programs in China save as "CSV"


class SpreadsheetError(ValueError):
    """The file cannot be read as sheets."""


class Cell(msgspec.Struct, frozen=True):
    """What stands in a cell; ``trouble``: why it is no data."""

    text: str = ""
    trouble: str = ""


class Sheet(msgspec.Struct, frozen=True):
    """A sheet's header and rows; ``rows``: (number as the program shows it, cells)."""

    name: str
    header: list[str]
    rows: list[tuple[int, list[Cell]]]


def is_workbook(path: Path) -> bool:
    return path.suffix.lower() == ".xlsx"


# ---- reading --------------------------------------------------------------------------------------------------------


def read(path: Path) -> list[Sheet]:
    """All sheets of a workbook, or all .csv files of a folder.

    Raises:
        SpreadsheetError: not there, not of a known form, or too large.
    """
    files = [path] if is_workbook(path) else sorted(path.glob("*.csv"))
    if not files or not all(file.is_file() for file in files):
        raise SpreadsheetError(f"{path}: expected an .xlsx file or a folder of .csv files")
    for file in files:
        if file.stat().st_size > MOST_BYTES:
            raise SpreadsheetError(f"{file}: larger than {MOST_BYTES >> 20} MB")
    return _read_workbook(path) if is_workbook(path) else [_read_csv(file) for file in files]


def _read_workbook(path: Path) -> list[Sheet]:
    try:
        book = load_workbook(path, read_only=True)
    except (InvalidFileException, KeyError, ValueError, OSError, EOFError, SyntaxError) as error:
        raise SpreadsheetError(f"{path}: not a workbook ({error})") from error
    except Exception as error:  # zipfile and the XML parser raise classes of their own
        raise SpreadsheetError(f"{path}: not a workbook ({error!r})") from error
    try:
        return [_sheet(sheet.title, ([_cell(cell) for cell in row] for row in sheet.iter_rows())) for sheet in book]
    finally:
        book.close()


def _cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return Cell()
    if cell.data_type in _NO_DATA:
        return Cell(str(value), _NO_DATA[cell.data_type])
    if isinstance(value, datetime | date):
        return Cell(value.date().isoformat() if isinstance(value, datetime) else value.isoformat())
    if isinstance(value, float) and value.is_integer():
        return Cell(str(int(value)))  # a serial number that the program took for a number
    return Cell(str(value).strip())


def _read_csv(path: Path) -> Sheet:
    raw = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            lines = raw.decode(encoding).splitlines(keepends=True)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise SpreadsheetError(f"{path}: neither UTF-8 nor GB 18030")
    try:
        return _sheet(path.stem, ([_text(text) for text in row] for row in csv.reader(lines, strict=True)))
    except csv.Error as error:
        raise SpreadsheetError(f"{path}: {error}") from error


def _text(text: str) -> Cell:
    text = text.strip()
    if text.startswith("'") and text[1:].startswith(_LIKE_A_FORMULA):
        return Cell(text[1:])
    return Cell(text, "a formula" if text.startswith("=") else "")


def _sheet(name: str, rows: Iterator[list[Cell]]) -> Sheet:
    numbered = enumerate(rows, 1)
    _, header = next(numbered, (1, []))
    body = []
    for number, row in numbered:
        if number > MOST_ROWS:
            raise SpreadsheetError(f"{name}: more than {MOST_ROWS} rows")
        if any(cell.text or cell.trouble for cell in row):
            body.append((number, row))
    names = [cell.text for cell in header]
    while names and not names[-1]:
        names.pop()
    return Sheet(name, names, body)


# ---- writing --------------------------------------------------------------------------------------------------------


def write(path: Path, sheets: list[Sheet]) -> None:
    """Writes a workbook, or a folder with one .csv for each sheet; only their owner can read them."""
    if is_workbook(path):
        _private(path)
        _write_workbook(path, sheets)
        return
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for sheet in sheets:
        file = path / f"{sheet.name}.csv"
        _private(file)
        with file.open("w", newline="", encoding="utf-8-sig") as out:
            writer = csv.writer(out)
            writer.writerow(sheet.header)
            writer.writerows([_guarded(cell.text) for cell in row] for _, row in sheet.rows)


def _private(path: Path) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_LIKE_A_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not text.startswith("+")  # a telephone number


def _write_workbook(path: Path, sheets: list[Sheet]) -> None:
    book = Workbook()
    book.remove(book.active)
    for sheet in sheets:
        page = book.create_sheet(sheet.name)
        page.append(sheet.header)
        for cell in page[1]:
            cell.font = Font(bold=True)
        page.freeze_panes = "A2"
        for line, (_, row) in enumerate(sheet.rows, 2):
            for column, cell in enumerate(row, 1):
                if cell.text:
                    _put(page.cell(line, column), cell.text)
    book.save(path)


def _put(cell: Any, text: str) -> None:
    cell.value = text
    cell.data_type = "s"  # text, whatever it looks like
    cell.number_format = "@"
    cell.quotePrefix = text.startswith(_LIKE_A_FORMULA)
