"""``stack``: a fresh system below tmp_path, ended with the test; on failure its logs go into the report.

``proof``: what a fault test did and what the audit counted, left for docs/proof.md.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults import Proof
from tests.acceptance.harness import Stack

_stack: pytest.StashKey[Stack] = pytest.StashKey()
_proof: pytest.StashKey[Proof] = pytest.StashKey()


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


@pytest.fixture
def show_logs_of(request: pytest.FixtureRequest) -> Callable[[Stack], None]:
    """For a stack that several tests share: should this test fail, the logs of that stack go into its report."""

    def show(stack: Stack) -> None:
        request.node.stash[_stack] = stack

    return show


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Proof:
    """The account of a fault test."""
    account = request.node.stash[_proof] = Proof(request.node.nodeid)
    return account


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and (stack := item.stash.get(_stack, None)):
        report.sections += [("process log", words) for words in stack.last_words()]
    if call.when == "call" and (account := item.stash.get(_proof, None)):
        account.write(report.outcome)
    return report
