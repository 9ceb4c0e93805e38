"""Thousands of malformed messages from a registered unit among its good ones: each is kept with its reason."""

import base64
import itertools
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Self

import msgspec
import pytest

from tests.acceptance.faults import Proof, in_database, stored, times
from tests.acceptance.harness import Stack
from tests.acceptance.load import LoadUnit
from tests.acceptance.process import eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]

UNIT, OTHER = "amb-001", "amb-002"
GOOD_PER_SECOND = 200
BAD_PER_SECOND = 250
CLOCK_UNTRUSTED = 32  # flag of a record whose device clock cannot be right
MAX_BYTES = 256 * 1024

Bad = tuple[str, str, bytes]  # channel, reason it is refused with, payload


class Mischief:
    """Makes malformed messages; every payload is different. Numbered ones count within an epoch of their own."""

    def __init__(self, seed: int) -> None:
        self.epoch = "bad0" * 4
        self._chance = random.Random(seed)
        self._numbers: dict[str, Iterator[int]] = {}
        self.kinds: list[Callable[[int], Bad]] = [
            self.random_bytes, self.random_messagepack, self.truncated, self.text_for_a_number, self.no_epoch,
            self.list_for_an_object, self.not_a_number, self.infinity, self.huge, self.unknown_quantity, self.bad_utf8,
            self.deep, self.torn_samples, self.no_samples, self.unknown_lead, self.negative_number, self.long_device,
            self.hello_of_nothing, self.empty,
        ]  # fmt: skip

    def make(self, number: int) -> Bad:
        return self.kinds[number % len(self.kinds)](number)

    def record(self, channel: str, number: int, **fields: Any) -> dict[str, Any]:
        """An envelope that can be read, so that the gateway accounts for its number."""
        seq = next(self._numbers.setdefault(channel, itertools.count()))
        return {"epoch": self.epoch, "seq": seq, "device": "monitor", "observed_at": number, **fields}

    def random_bytes(self, number: int) -> Bad:
        return "obs", "bad-syntax", b"\x00" + number.to_bytes(4) + self._chance.randbytes(60)

    def random_messagepack(self, number: int) -> Bad:
        return "wave", "bad-syntax", b"\xc1" + number.to_bytes(4) + self._chance.randbytes(60)  # 0xc1 is never valid

    def truncated(self, number: int) -> Bad:
        whole = json.dumps({"epoch": self.epoch, "seq": number, "device": "monitor", "values": {"spo2": 96}}).encode()
        return "obs", "bad-syntax", whole[: self._chance.randrange(20 + len(str(number)) + 20, len(whole) - 1)]

    def text_for_a_number(self, number: int) -> Bad:
        return "obs", "bad-schema", _json(self.record("obs", number, values={"spo2": "ninety-six"}))

    def no_epoch(self, number: int) -> Bad:
        return "obs", "bad-schema", _json({"seq": number, "device": "monitor", "observed_at": 0, "values": {}})

    def list_for_an_object(self, number: int) -> Bad:
        return "event", "bad-schema", _json([number])

    def not_a_number(self, number: int) -> Bad:
        return "obs", "bad-syntax", b'{"epoch":"%b","seq":%d,"values":{"spo2":NaN}}' % (self.epoch.encode(), number)

    def infinity(self, number: int) -> Bad:
        body = _json(self.record("obs", number, values={"spo2": "@"}))
        return "obs", "bad-schema", body.replace(b'"@"', b"1e999")

    def huge(self, number: int) -> Bad:
        return "event", "too-large", _json({"n": number, "x": "x" * MAX_BYTES})

    def unknown_quantity(self, number: int) -> Bad:
        return "obs", "unknown-quantity", _json(self.record("obs", number, values={"horoscope": 7.0}))

    def bad_utf8(self, number: int) -> Bad:
        return "event", "bad-syntax", b'{"name":"\xff\xfe%d"}' % number

    def deep(self, number: int) -> Bad:
        return "event", "bad-syntax", b'{"name":"deep%d","details":{"a":' % number + b"[" * 50_000

    def torn_samples(self, number: int) -> Bad:
        return "wave", "bad-sample-count", self.frame(number, ["I", "II"], b"\0" * 7)

    def no_samples(self, number: int) -> Bad:
        return "wave", "bad-sample-count", self.frame(number, ["I"], b"")

    def unknown_lead(self, number: int) -> Bad:
        return "wave", "unknown-lead", self.frame(number, ["tail"], b"\0" * 8)

    def frame(self, number: int, leads: list[str], samples: bytes) -> bytes:
        body = self.record("wave", number, n0=number, fs=500.0, leads=leads, scale=0.005, samples=samples)
        return msgspec.msgpack.encode(body)

    def negative_number(self, number: int) -> Bad:
        body = {"epoch": self.epoch, "seq": -1 - number, "device": "monitor", "observed_at": 0, "values": {}}
        return "obs", "bad-schema", _json(body)

    def long_device(self, number: int) -> Bad:
        body = {"epoch": self.epoch, "seq": number, "device": "m" * 49, "observed_at": 0, "values": {}}
        return "obs", "bad-schema", _json(body)

    def hello_of_nothing(self, number: int) -> Bad:
        return "hello", "bad-schema", _json({"presence": f"perhaps-{number}"})

    def empty(self, number: int) -> Bad:
        return "reply", "bad-schema", _json({"n": number})


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


class LagMeter:
    """Samples how long the newest committed message had waited (the gateway's own gauge), in the background."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self.samples: list[float] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self.samples.append(self._stack.metrics()["lastmile_ingest_lag_seconds"])

    @property
    def p99(self) -> float:
        return sorted(self.samples)[int(0.99 * len(self.samples))]


def test_garbage_among_good_messages(stack: Stack, proof: Proof) -> None:
    stack.add_unit(OTHER)
    mischief = Mischief(3)
    bad = [mischief.make(number) for number in range(times(5000))]
    with LoadUnit(stack, stack.add_unit(UNIT)) as unit:
        unit.produce(GOOD_PER_SECOND)
        with LagMeter(stack) as quiet:
            eventually(lambda: len(quiet.samples) >= 30 and unit.next > 3 * GOOD_PER_SECOND, "a quiet time", 60)
        with LagMeter(stack) as loud:
            spread(bad, lambda message: unit.send(message[0], message[2]))
            eventually(lambda: len(loud.samples) >= 30, "the noise is measured", 60)
        unit.stop()
        unit.settle()
        good = unit.next
    found = eventually(lambda: all_rejects(stack, len(bad)), "every bad message is found", 120, 1)
    assert Counter((reason, payload) for _, reason, payload in bad) == found

    assert in_database(stack, "SELECT count(*) FROM record WHERE lane_id IN (SELECT id FROM lane WHERE epoch = ?)",
                       unit.epoch) == [(good,)]  # fmt: skip
    counters = stack.metrics()
    for reason, count in Counter(reason for _, reason, _ in bad).items():
        assert counters[f'lastmile_rejects_total{{reason="{reason}"}}'] == count
    proof.note(bad=len(bad), kinds=len(mischief.kinds), good=good, lag_p99_ms_quiet=round(1000 * quiet.p99, 1),
               lag_p99_ms_noise=round(1000 * loud.p99, 1))  # fmt: skip
    assert loud.p99 < max(10 * quiet.p99, 1.0), f"{quiet.p99} s before, {loud.p99} s with the noise"
    proof.audit(stack)


_pace = threading.Event()  # never set: its wait() is the pause between two messages


def spread(bad: list[Bad], send: Callable[[Bad], object]) -> None:
    """Sends at an even pace."""
    began = time.monotonic()
    for number, message in enumerate(bad):
        due = began + number / BAD_PER_SECOND
        _pace.wait(max(0.0, due - time.monotonic()))
        send(message)


def all_rejects(stack: Stack, count: int) -> Counter[tuple[str, bytes]] | None:
    """(reason, payload) of every reject, by the API; None as long as there are not ``count``."""
    with stack.api("admin") as api:
        ids: list[tuple[int, str]] = []
        cursor: str | None = None
        while True:
            query = {"limit": "100", "unit": UNIT} | ({"cursor": cursor} if cursor else {})
            page = api.get("/rejects", params=query).json()
            ids += [(item["id"], item["reason"]) for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        if len(ids) < count:
            return None
        found = ((reason, api.get(f"/rejects/{id_}").json()["payload"]) for id_, reason in ids)
        return Counter((reason, base64.b64decode(payload)) for reason, payload in found)


def test_wrong_clocks_and_values_are_marked(stack: Stack, proof: Proof) -> None:
    """1970, the far future and impossible values: stored as they came, marked, and never shown as now."""
    now = time.time_ns() // 1000
    clocks = [0, 1, now + 3_600_000_000, now + 10 * 365 * 86_400_000_000, 2**61, -(2**61)]
    with LoadUnit(stack, stack.add_unit(UNIT)) as unit:
        for at in clocks:
            unit.observe({"spo2": 96}, at)
        wild = [unit.observe({"spo2": 250.0, "heart-rate": 80}), unit.observe({"heart-rate": -5.0})]
        unit.settle()
    rows = in_database(stack, "SELECT observed_at, received_at, event_at, flags FROM record ORDER BY seq")
    assert [row[0] for row in rows[: len(clocks)]] == clocks
    assert all(event == received and flags & CLOCK_UNTRUSTED for _, received, event, flags in rows[: len(clocks)])
    with stack.api("ops") as api:
        found = api.get("/rejects", params={"reason": "out-of-range"}).json()["items"]
        latest = {row["quantity"]: row["value"] for row in api.get(f"/units/{UNIT}/latest").json()["items"]}
    assert len(found) == len(wild)
    assert not any(reject["whole"] for reject in found)
    assert latest["heart-rate"] == 80
    assert latest["spo2"] == 96
    assert stored(stack, UNIT) == len(clocks) + len(wild)
    proof.note(wrong_clocks=len(clocks), impossible_values=len(wild))
    proof.audit(stack)


def test_foreign_unit_is_not_believed(stack: Stack, proof: Proof) -> None:
    """A unit that publishes as another one, and as one that does not exist."""
    stack.add_unit(OTHER)
    with LoadUnit(stack, stack.add_unit(UNIT)) as unit:
        unit.produce(50)
        for number in range(times(200)):
            body = _json({"epoch": os.urandom(8).hex(), "seq": number, "device": "m", "observed_at": 0, "values": {}})
            unit.send_to(f"lm/v1/{stack.site}/ambulance/{OTHER if number % 2 else 'amb-404'}/obs", body)
        denied = times(200)
        name = 'lastmile_rejects_total{reason="denied-by-broker"}'
        eventually(lambda: stack.metrics().get(name, 0) == denied, "each is shown", 60, 0.5)
        unit.stop()
        unit.settle()
    assert stored(stack, OTHER) == 0
    proof.note(foreign=denied)
    proof.audit(stack)
