"""The log of alerts depends on what was measured and when, not on the order of its arrival or on restarts."""

from collections.abc import Iterable
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admit import Admitted
from gateway.contract.envelope import Lane
from gateway.contract.observation import Observation
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.wire import encode
from gateway.derive.population import Placed, Population
from gateway.ledger import LaneLedger
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge, Holds
from gateway.rules.patient import Patient
from gateway.rules.threshold import Finding, Thresholds
from gateway.sequence import PATIENCE, Sequencer
from gateway.unpack import Route
from tests.unit.gateway.builders import EPOCH, NOW

UNITS = ("amb-001", "amb-002")
DEVICES = ("monitor", "oximeter")
# Around every limit there is, so that a wrong order shows
VALUES = {"heart-rate": (30.0, 44.0, 50.0, 80.0, 126.0, 131.0, 165.0), "spo2": (80.0, 86.0, 89.0, 91.0, 97.0),
          "bp-systolic": (65.0, 88.0, 94.0, 120.0, 181.0), "glucose": (2.5, 3.9, 6.0, 17.0),
          "oxygen-flow": (0.0, 2.0), "set-point-temperature": (4.0, 20.0),
          "cargo-temperature-1": (-1.0, 5.0, 12.0, 16.0, 41.0)}  # fmt: skip
ON_OXYGEN = Patient("p", Placed(Population.ADULT, assumed=False), oxygen_target="88-92")
STRETCH = st.tuples(
    st.sampled_from(sorted(VALUES)), st.integers(0, 6), st.integers(1, 25), st.sampled_from(DEVICES)
)  # quantity, which value, for how many records, of which device
GAPS = st.integers(100_000, SECOND) | st.integers(SECOND, MINUTE)  # so that the long durations elapse too


def records(unit: str, lane_id: int, stretches: list[tuple[str, int, int, str]], gap: int) -> list[Admitted]:
    """One lane: stretches of one value each, a record every ``gap``."""
    lane = LaneLedger(lane_id, unit, EPOCH, Lane.OBS)
    found: list[Admitted] = []
    route = Route(UnitAddress("linyi", UnitKind.AMBULANCE, unit), Channel.OBS, Lane.OBS)
    for quantity, which, count, device in stretches:
        values = {quantity: VALUES[quantity][which % len(VALUES[quantity])]}
        for _ in range(count):
            seq, at = len(found), NOW + len(found) * gap
            body = Observation(epoch=EPOCH, seq=seq, device=device, observed_at=at, values=dict(values))
            found.append(Admitted(route, lane, body, at, at + 100_000, 0, encode(body)))
    return found


def rules_of() -> Rules:
    """Of vans that carry somebody on oxygen: every kind of condition counts there."""
    rules = Rules(Thresholds(None, lambda _unit: UnitKind.DELIVERY_VAN))
    rules.set_patients(dict.fromkeys(UNITS, ON_OXYGEN))
    return rules


class Gateway:
    """Sequencer and rules, as the stages use them."""

    def __init__(self) -> None:
        self.sequencer = Sequencer()
        for lane_id in range(1, len(UNITS) + 1):
            self.sequencer.restore(lane_id, 0)
        self.rules = rules_of()
        self.log: list[Finding] = []

    def take(self, record: Admitted) -> None:
        self._evaluate(self.sequencer.take(record))

    def _evaluate(self, ordered: Iterable[Admitted]) -> None:
        for one in ordered:
            unit, body = one.route.address.unit, one.body
            assert isinstance(body, Observation)
            for name, value in body.values.items():
                assert value is not None
                age = one.received_at - one.event_at
                self.log += self.rules.value(
                    unit, body.device, name, value, one.event_at, age, derived=False, simulated=False
                )

    def expire(self, now: int) -> None:
        self._evaluate(self.sequencer.expire(now))

    def written(self) -> bytes:
        """The log as bytes, by unit: what two units say of each other's order means nothing."""
        return msgspec.json.encode(sorted(self.log, key=lambda one: one.unit))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(STRETCH, min_size=1, max_size=5), min_size=len(UNITS), max_size=len(UNITS)),
    GAPS,
    st.randoms(use_true_random=False),
)
def test_input_shuffled_inside_the_bound_gives_a_byte_equal_log(
    lanes: list[list[tuple[str, int, int, str]]], gap: int, random: Random
) -> None:
    sent = [one for n, stretches in enumerate(lanes) for one in records(UNITS[n], n + 1, stretches, gap)]
    in_order, shuffled = Gateway(), Gateway()
    for record in sent:
        in_order.take(record)
    delays = [random.randrange(PATIENCE) for _ in sent]
    arrivals = sorted(zip(sent, delays, strict=True), key=lambda pair: pair[0].received_at + pair[1])
    for record, delay in arrivals:
        at = record.received_at + delay
        shuffled.expire(at)
        shuffled.take(msgspec.structs.replace(record, received_at=at))
    shuffled.expire(NOW + 10_000 * SECOND)
    assert shuffled.written() == in_order.written()


@settings(deadline=None, max_examples=60)
@given(st.lists(STRETCH, min_size=1, max_size=6), GAPS, st.data())
def test_a_gateway_that_is_killed_anywhere_gives_the_same_log(
    stretches: list[tuple[str, int, int, str]], gap: int, data: st.DataObject
) -> None:
    """What each commit writes is enough: the clocks that changed, and the newest value of each device."""
    sent = records(UNITS[0], 1, stretches, gap)
    kills = data.draw(st.sets(st.integers(0, len(sent) - 1), max_size=4))
    unhurt, hurt = Gateway(), Gateway()
    stored: dict[tuple[str, str], bytes] = {}
    latest: dict[tuple[str, str], int] = {}
    for n, record in enumerate(sent):
        unhurt.take(record)
        hurt.take(record)
        body = record.body
        assert isinstance(body, Observation)
        latest.update({(body.device, name): record.event_at for name in body.values})
        stored.update({(subject, code): msgspec.json.encode(hold) for subject, code, hold in hurt.rules.take_dirty()})
        if n in kills:
            hurt.rules = rules_of()
            for (subject, code), state in stored.items():
                hurt.rules.thresholds.restore(subject, code, msgspec.json.decode(state, type=Holds).devices)
            for (device, name), at in latest.items():
                hurt.rules.thresholds.heard(UNITS[0], device, name, at)
    assert hurt.written() == unhurt.written()


STEPS = st.lists(
    st.tuples(st.sampled_from(VALUES["heart-rate"]), st.sampled_from(VALUES["heart-rate"])), min_size=1, max_size=12
)


def standing(rates: list[dict[str, float]]) -> list[set[str]]:
    """Which alerts stand after each second of these heart rates, by device."""
    rules, now, after = rules_of(), NOW, []
    raised: set[str] = set()
    for devices in rates:
        now += SECOND
        for device, rate in devices.items():
            for found in rules.value(UNITS[0], device, "heart-rate", rate, now, 0, derived=False, simulated=False):
                (raised.add if found.edge is Edge.RAISE else raised.remove)(found.row.code)
        after.append(set(raised))
    return after


@settings(deadline=None, max_examples=100)
@given(STEPS, st.integers(1, 15))
def test_an_alert_stands_while_any_device_alone_would_make_it_stand(
    steps: list[tuple[float, float]], each: int
) -> None:
    seconds = [dict(zip(DEVICES, pair, strict=True)) for pair in steps for _ in range(each)]
    alone = [standing([{device: rates[device]} for rates in seconds]) for device in DEVICES]
    assert standing(seconds) == [one | other for one, other in zip(*alone, strict=True)]
