"""What import-linter cannot say: who may use which third-party package, and that acceptance tests use none of ours."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"gateway", "edge_agents", "firmware_sims"}

# Longest matching prefix wins. A package missing here is a decision to take, not a line to add in passing:
# third-party packages stand in adapters, api, links, uplink, hosts, and where a stage's work is theirs.
ALLOWED: dict[str, set[str]] = {
    "gateway": {"msgspec"},
    "gateway/cli.py": {"typer"},
    "gateway/operate.py": {"msgspec", "sqlalchemy", "structlog", "typer"},  # people's commands; writes the registry
    "gateway/fleet_care.py": {"sqlalchemy", "typer"},  # people's commands, as above
    "gateway/demo.py": {"msgspec", "rich", "typer"},
    "gateway/scenario": {"msgspec", "numpy", "rich", "typer"},  # people's command, as demo
    "gateway/feed_watcher.py": {"msgspec", "websockets"},  # the demo's own screen
    "gateway/supervisor.py": {"structlog"},
    "gateway/app.py": {"fastapi", "msgspec", "nats", "prometheus_client", "sqlalchemy", "structlog", "uvloop"},  # root
    "gateway/housekeeping.py": {"sqlalchemy", "structlog"},  # part of the composition root
    "gateway/committer.py": {"prometheus_client", "sqlalchemy", "structlog"},  # part of the composition root
    "gateway/front_desk.py": {"msgspec", "sqlalchemy"},  # part of the composition root
    "gateway/registry_watch.py": {"nats", "sqlalchemy", "structlog"},  # part of the composition root
    "gateway/derive": {"msgspec", "numpy", "scipy"},
    "gateway/evaluate": {"msgspec", "numpy", "rich", "scipy", "typer", "wfdb"},  # people's command, as demo
    "gateway/adapters": {
        "alembic", "msgspec", "nats", "nkeys", "numpy", "pcodec", "prometheus_client", "psutil", "rich", "sqlalchemy",
        "structlog", "zstandard",
    },
    "gateway/adapters/notify/apprise_channel.py": {"apprise", "msgspec", "requests"},
    "gateway/adapters/notify/webhook.py": {"msgspec", "requests"},
    "gateway/watch": {"msgspec", "structlog", "typer"},
    "gateway/watch/canary.py": {"msgspec", "paho"},
    "gateway/bridge": {"msgspec", "nats", "structlog", "typer"},
    "gateway/bridge/foreign.py": {"paho"},
    "gateway/adapters/spreadsheet.py": {"msgspec", "openpyxl"},
    "gateway/api": {
        "argon2", "fastapi", "msgspec", "numpy", "prometheus_client", "pydantic", "sqlalchemy", "starlette",
        "structlog", "uvicorn",
    },
    "edge_agents": {"msgspec", "structlog"},
    "edge_agents/devices": {"msgspec"},
    "edge_agents/devices/gnss.py": {"pynmeagps"},
    "edge_agents/links": {"bleak", "bumble", "msgspec", "numpy", "pymodbus", "structlog", "wfdb"},
    "edge_agents/mqtt.py": {"msgspec", "paho"},
    "firmware_sims": {"msgspec", "numpy"},
    "firmware_sims/hosts": {"bumble", "msgspec", "pymodbus"},
    "firmware_sims/cli.py": {"msgspec", "typer"},
}  # fmt: skip


def modules(folder: str) -> Iterator[Path]:
    return (path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*.py")))


def imported(path: Path) -> set[str]:
    """Top-level names of every module the file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def allowed(path: Path) -> set[str]:
    prefixes = [prefix for prefix in ALLOWED if path.as_posix() == prefix or path.as_posix().startswith(prefix + "/")]
    return ALLOWED[max(prefixes, key=len)]


@pytest.mark.parametrize("folder", sorted(OURS))
def test_third_party_packages_stay_in_their_rooms(folder: str) -> None:
    strangers = {
        str(path): extra
        for path in modules(folder)
        if (extra := imported(path) - set(sys.stdlib_module_names) - OURS - allowed(path))
    }
    assert not strangers, "third-party packages where DESIGN section 10 does not expect them"


def test_rooms_exist() -> None:
    assert not [room for room in ALLOWED if not (ROOT / room).exists()], "rows of ALLOWED that allow nothing"


def test_acceptance_tests_import_none_of_our_code() -> None:
    """They drive commands, MQTT and HTTP as a user would; importing our code would let a bug vouch for itself."""
    offenders = {str(path): names for path in modules("tests/acceptance") if (names := imported(path) & OURS)}
    assert not offenders
