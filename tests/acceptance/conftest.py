"""``stack``: a fresh system below tmp_path, ended with the test; on failure its logs go into the report."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import Stack

_stack: pytest.StashKey[Stack] = pytest.StashKey()


@pytest.fixture
def empty_stack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Folders only: nothing runs yet."""
    stack = Stack(tmp_path)
    request.node.stash[_stack] = stack
    yield stack
    stack.close()


@pytest.fixture
def stack(empty_stack: Stack) -> Stack:
    """Broker and gateway are up."""
    empty_stack.start_broker()
    empty_stack.start_gateway()
    return empty_stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call" and report.failed and (stack := item.stash.get(_stack, None)):
        report.sections += [("process log", words) for words in stack.last_words()]
    return report
