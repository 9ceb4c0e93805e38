"""What every test may ask for: recordings, server programs, how many faults to plant.

In CI a skipped test has failed; only where the public recordings are absent may those that read them be skipped.
"""

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

REPOSITORY = Path(__file__).parent.parent
RECORDINGS_BESIDE_THE_CLONE = REPOSITORY.parent / "shared" / "data"
NO_RECORDINGS = "LASTMILE_DATA is not set"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
SERVERS = {
    "mosquitto": ("/usr/sbin/mosquitto", "mosquitto"),
    "mosquitto_sub": ("mosquitto_sub", "mosquitto-clients"),
    "chromium": ("chromium", "chromium"),
    "openssl": ("openssl", "openssl"),
}


# How long an example takes says how busy the machine is, nothing about the code. In CI the examples are the same each
# time, so that a run speaks of the change it was made for; elsewhere they are new ones.
hypothesis.settings.register_profile(
    "lastmile", deadline=None, derandomize=IN_CI, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("lastmile")


def pytest_configure() -> None:
    if "LASTMILE_DATA" not in os.environ and RECORDINGS_BESIDE_THE_CLONE.is_dir():
        os.environ["LASTMILE_DATA"] = str(RECORDINGS_BESIDE_THE_CLONE)


def _forbid_skip(report: Report) -> Report:
    """In CI a skip is a failure: a suite nobody runs proves nothing. Absent recordings are the one exception."""
    reason = str(report.longrepr)
    if IN_CI and report.skipped and not hasattr(report, "wasxfail") and NO_RECORDINGS not in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing is skipped: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _forbid_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _forbid_skip((yield))


@pytest.fixture(autouse=True)
def _needed_server(request: pytest.FixtureRequest) -> None:
    """Skips a test marked ``server(name)`` where that program is not installed."""
    for marker in request.node.iter_markers("server"):
        program, package = SERVERS[marker.args[0]]
        if shutil.which(program) is None:
            pytest.skip(f"{marker.args[0]} is not installed (Debian package {package})")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Folder of the public recordings ($LASTMILE_DATA)."""
    if "LASTMILE_DATA" not in os.environ:
        pytest.skip(NO_RECORDINGS)
    return Path(os.environ["LASTMILE_DATA"])


@pytest.fixture(scope="session")
def fault_share() -> float:
    """How much of a fault test's full count to run: 1.0 with LASTMILE_FAULTS=full, a tenth otherwise."""
    return 1.0 if os.environ.get("LASTMILE_FAULTS") == "full" else 0.1
