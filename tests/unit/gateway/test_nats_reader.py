"""The lean NATS reader: any way TCP cuts the bytes, the same messages come out."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.nats_reader import NatsReader, published


class Wire(asyncio.Transport):
    """Takes what the reader writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True


async def reader() -> tuple[NatsReader, Wire]:
    made, wire = NatsReader("gateway", "secret", "$JS.API.CONSUMER.MSG.NEXT.LASTMILE.c1"), Wire()
    made.connection_made(wire)
    return made, wire


def delivery(sequence: int, payload: bytes, *, headers: bytes = b"", pending: int = 0) -> bytes:
    reply = f"$JS.ACK.LASTMILE.c1.1.{sequence}.{sequence}.{sequence * 1000}.{pending}"
    subject = "lm.7.v1.linyi.ambulance.amb-001.obs"
    if headers:
        head = f"HMSG {subject} 1 {reply} {len(headers)} {len(headers) + len(payload)}"
    else:
        head = f"MSG {subject} 1 {reply} {len(payload)}"
    return head.encode() + b"\r\n" + headers + payload + b"\r\n"


HEADERS = b"NATS/1.0\r\nNmqtt-Pub:1\r\n\r\n"
payloads = st.lists(st.tuples(st.binary(max_size=60), st.booleans()), min_size=1, max_size=8)


@given(payloads, st.lists(st.integers(1, 200), min_size=1, max_size=40))
def test_any_chunking_gives_the_same_messages(bodies: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    stream = b"INFO {}\r\nPING\r\n" + b"".join(
        delivery(number, body, headers=HEADERS if with_headers else b"")
        for number, (body, with_headers) in enumerate(bodies, 1)
    )

    async def feed() -> None:
        made, wire = await reader()
        at, found = 0, []
        for cut in [*cuts, len(stream)]:
            made.data_received(stream[at : at + cut])
            found += made.drain()
            at += cut
            if at >= len(stream):
                break
        if at < len(stream):
            made.data_received(stream[at:])
            found += made.drain()
        assert [(one.sequence, one.payload) for one in found] == [(n, b) for n, (b, _) in enumerate(bodies, 1)]
        assert {one.subject for one in found} == {"lm.v1.linyi.ambulance.amb-001.obs"}
        assert [one.logged_at for one in found] == [one.sequence for one in found]
        assert b"PONG\r\n" in wire.written

    asyncio.run(feed())


def test_the_partition_is_not_part_of_the_published_subject() -> None:
    assert published(b"lm.15.v1.linyi.ambulance.amb-001.obs") == "lm.v1.linyi.ambulance.amb-001.obs"
    assert published(b"lm.denied.amb-001") == "lm.denied.amb-001"


async def test_pulls_again_before_it_runs_dry() -> None:
    made, wire = await reader()
    assert wire.written.count(b"PUB $JS.API.CONSUMER.MSG.NEXT") == 1
    for number in range(1, 10_002):
        made.data_received(delivery(number, b"x", pending=5))
    assert len(made.drain()) == 10_001
    assert wire.written.count(b"PUB $JS.API.CONSUMER.MSG.NEXT") == 2
    assert made.pending == 5


async def test_an_expired_pull_is_renewed_and_a_deleted_consumer_is_lost() -> None:
    made, wire = await reader()
    status = b"NATS/1.0 408 Request Timeout\r\n\r\n"
    made.data_received(b"HMSG _INBOX.x 1 %d %d\r\n%b\r\n" % (len(status), len(status), status))
    assert wire.written.count(b"PUB $JS.API.CONSUMER.MSG.NEXT") == 2
    deleted = b"NATS/1.0 409 Consumer Deleted\r\n\r\n"
    made.data_received(b"HMSG _INBOX.x 1 %d %d\r\n%b\r\n" % (len(deleted), len(deleted), deleted))
    assert made.lost is not None
    assert wire.closed


async def test_an_error_of_the_broker_ends_the_connection() -> None:
    made, wire = await reader()
    made.data_received(b"-ERR 'Authorization Violation'\r\n")
    assert made.lost is not None
    assert "Authorization" in made.lost
    assert wire.closed


async def test_asks_for_no_more_while_nobody_drains() -> None:
    made, wire = await reader()
    status = b"NATS/1.0 408 Request Timeout\r\n\r\n"
    for number in range(1, 20_001):
        made.data_received(delivery(number, b"x"))
    pulls = wire.written.count(b"PUB $JS.API.CONSUMER.MSG.NEXT")
    for _ in range(10):
        made.data_received(b"HMSG _INBOX.x 1 %d %d\r\n%b\r\n" % (len(status), len(status), status))
    assert wire.written.count(b"PUB $JS.API.CONSUMER.MSG.NEXT") == pulls
    made.drain()
    assert wire.written.count(b"PUB $JS.API.CONSUMER.MSG.NEXT") == pulls + 1


async def test_no_two_readers_share_an_inbox() -> None:
    """What a killed reader had asked for must not be delivered to the one that follows it."""
    inboxes = {(await reader())[1].written.split(b"SUB ")[1].split(b" ")[0] for _ in range(2)}
    assert len(inboxes) == 2
