"""Rules of the tree as a whole: no path of somebody's machine, nothing unfinished, small functions, small files."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_OURS = {
    ".git", ".venv", "node_modules", "dist", "static", "var", "build", "__pycache__", ".hypothesis", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".import_linter_cache", "requirements.lock", "package-lock.json", "LICENSE",
    "test-results",
}  # fmt: skip
TEXT = {
    "", ".cfg", ".css", ".html", ".ini", ".js", ".json", ".md", ".mjs", ".py", ".service", ".sh", ".toml", ".ts",
    ".tsx", ".txt", ".yaml", ".yml",
}  # fmt: skip

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|far[m]|hom[e])/|(?<![\w.])/tm[p]/\w|\.librar[y]\b")
UNFINISHED = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|NotImplementedErro[r])\b")
BARE_IGNORE = re.compile(r"# (?:type: ignor[e](?!\[)|noq[a](?!:))")

MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_A_FILE = 400
TABLES = {
    "gateway/adapters/tables.py": "one row after the other: the database",
    "docs/asyncapi.yaml": "the contract, generated from the types",
}


def files(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from files(path)
        elif path.suffix in TEXT:
            yield path


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_path_of_a_machine() -> None:
    assert not found(MACHINE_PATH)


def test_nothing_is_left_unfinished() -> None:
    assert not found(UNFINISHED)


def test_every_silenced_warning_says_which() -> None:
    assert not found(BARE_IGNORE)


def test_functions_are_small() -> None:
    long = []
    for path in files():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} ({size} lines)")
    assert not long


def test_files_are_small() -> None:
    long = [
        f"{path.relative_to(ROOT)} ({count} lines)"
        for path in files()
        if path.suffix in {".py", ".ts", ".tsx"}
        and (count := len(path.read_text().splitlines())) > MOST_LINES_OF_A_FILE
        and path.relative_to(ROOT).as_posix() not in TABLES
    ]
    assert not long
