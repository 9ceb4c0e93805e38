"""The broker's log disappears, or its disk is full. It is a cache: nothing may be acked that is not in the database."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults import Proof, alerts, at_rest, outbox_depth, stored
from tests.acceptance.harness import Stack
from tests.acceptance.process import Process, eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

UNIT = "amb-001"
DISK = 16  # MB
FREE = 6  # MB of it that the ballast leaves


def process_named(stack: Stack, name: str) -> Process:
    return next(each for each in stack.processes if each.name == name)


def test_store_wiped(stack: Stack, proof: Proof) -> None:
    """With records in it that had a PUBACK and that the gateway had not read."""
    vehicle = stack.add_unit(UNIT)
    stack.start_vehicle(UNIT, "stress")
    eventually(lambda: stored(stack, UNIT) > 1000, "load flows", 60)
    gateway, broker = process_named(stack, "gateway"), process_named(stack, "broker")
    gateway.pause()
    eventually(lambda: outbox_depth(vehicle) > 3000, "the log runs ahead of the gateway", 60)
    unread = outbox_depth(vehicle)
    broker.kill()
    shutil.rmtree(stack.data / "jetstream")
    before = stored(stack, UNIT)
    broker.restart()
    gateway.resume()

    eventually(lambda: alerts(stack, "broker-log-lost"), "broker-log-lost is raised", 60)
    assert alerts(stack, "broker-log-lost")[0]["kind"] == "technical"
    eventually(lambda: stored(stack, UNIT) > before + unread, "the outbox sends again what the log had lost", 90)
    at_rest(stack)
    proof.note(wiped_records=unread)
    proof.audit(stack)


@pytest.fixture
def small_disk(empty_stack: Stack) -> Iterator[Path]:
    """The log on a disk of its own of 16 MB, most of it taken by a ballast file; returns the ballast."""
    folder = empty_stack.data / "jetstream"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no right to mount a small disk: {mounted.stderr.strip()}")
    ballast = folder / "ballast"
    try:
        ballast.write_bytes(b"\0" * ((DISK - FREE) << 20))
        yield ballast
    finally:
        empty_stack.close()
        subprocess.run(["umount", str(folder)], check=True)


def test_disk_full(empty_stack: Stack, small_disk: Path, proof: Proof) -> None:
    stack = empty_stack
    stack.start_broker()
    stack.start_gateway()
    vehicle = stack.add_unit(UNIT)
    stack.start_vehicle(UNIT, "stress")
    eventually(lambda: stored(stack, UNIT) > 1000, "load flows", 60)
    eventually(lambda: shutil.disk_usage(small_disk.parent).free < 1 << 20, "the disk is full", 120, 0.5)
    eventually(lambda: outbox_depth(vehicle) > 8000, "nothing leaves the outbox any more", 120, 0.5)
    held = outbox_depth(vehicle)
    kept = stack.audit(with_ledger=False)  # while it is full: whatever was acked is in the database
    assert kept.green, kept.text

    before = stored(stack, UNIT)
    small_disk.unlink()
    eventually(lambda: stored(stack, UNIT) > before + held, "it flows again when there is room", 180, 0.5)
    proof.note(held_in_outbox=held)
    at_rest(stack, timeout=180)
    proof.audit(stack)
