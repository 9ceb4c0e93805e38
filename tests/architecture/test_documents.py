"""Documents that name things of the code name all of them, and nothing that is gone."""

import re
import tomllib
from pathlib import Path

import pytest

from gateway.cli import COMMANDS
from gateway.rules.catalogue import CATALOGUE, Kind

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def code(*folders: str) -> str:
    return "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


def first_cells(document: str) -> set[str]:
    """What stands in backquotes in the first column of the document's tables, without labels in braces."""
    return {cell.partition("{")[0] for cell in re.findall(r"^\| `([^`]+)`", document, re.MULTILINE)}


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {re.split(r"[~=<>\[; ]", requirement)[0] for requirement in wanted}
    assert first_cells((DOCS / "adr/0008-dependencies.md").read_text()) == names


def test_every_decision_is_in_the_index() -> None:
    files = {path.name for path in (DOCS / "adr").glob("0*.md")}
    assert set(re.findall(r"\]\((0\d{3}-[\w-]+\.md)\)", (DOCS / "adr/README.md").read_text())) == files


def test_every_failpoint_of_the_path_has_its_row() -> None:
    named = set(re.findall(r'failpoint\("([\w-]+)"\)', code("gateway"))) | set(
        re.findall(r'\bhit\("([\w-]+)"\)', code("edge_agents"))
    )
    assert first_cells((DOCS / "data-path.md").read_text()) == named


def test_every_crash_point_names_a_test_that_exists() -> None:
    named = set(re.findall(r"`(test_\w+)", (DOCS / "data-path.md").read_text()))
    assert named <= set(re.findall(r"def (test_\w+)\(", code("tests")))


def test_every_metric_is_explained() -> None:
    text = code("gateway")
    counters = set(re.findall(r'Counter\(\s*"(lastmile_\w+)"', text))
    others = set(re.findall(r'(?:Gauge|Histogram|GaugeMetricFamily)\(\s*"(lastmile_\w+)"', text))
    exposed = others | {name if name.endswith("_total") else f"{name}_total" for name in counters}
    assert {
        cell for cell in first_cells((DOCS / "operations.md").read_text()) if cell.startswith("lastmile_")
    } == exposed


def test_every_technical_alert_says_what_to_do() -> None:
    technical = {row.code for row in CATALOGUE.values() if row.kind is Kind.TECHNICAL}
    assert technical <= first_cells((DOCS / "operations.md").read_text())


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_is_in_the_table(readme: str) -> None:
    assert {cell.split()[0] for cell in first_cells((ROOT / readme).read_text())} == set(COMMANDS)


@pytest.mark.parametrize(
    "path", [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "tests/golden").rglob("*.md")], ids=str
)
def test_every_link_leads_somewhere(path: Path) -> None:
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text())]
    lost = [target for target in targets if target and "://" not in target and not (path.parent / target).exists()]
    assert not lost


def test_both_readmes_have_the_same_shape() -> None:
    def shape(name: str) -> list[int]:
        text = (ROOT / name).read_text()
        return [text.count(mark) for mark in ("\n## ", "\n| `", "\n1. ", "```", "](docs/")]

    assert shape("README.md") == shape("README.zh-CN.md")
