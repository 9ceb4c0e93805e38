"""Signed webhooks and strong reminders against real receivers: HTTP that refuses, hangs and closes."""

import asyncio
from typing import Any

import pytest

from gateway.adapters import notifications
from gateway.adapters.notify import webhook
from gateway.adapters.notify.pace import ATTEMPTS
from gateway.adapters.notify.signing import SigningKey, sign
from gateway.adapters.notify.worker import IN_FLIGHT
from gateway.rules.catalogue import Priority
from tests.integration.notify_receivers import Receiver, receiving, verify
from tests.integration.notify_site import KEY, Furnish, board, by_apprise, hook, strong
from tests.unit.notify.notices import MINUTE, SECOND, T0, all_deliveries, deliveries, notice

SCREEN = ("*", "screen")
WANG = "nurse.wang"


def test_the_published_vector_of_standard_webhooks() -> None:
    """Of the specification's reference libraries."""
    key = SigningKey.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_webhook_is_signed_and_says_who_it_is_about_without_a_name(site: Furnish, receiver: Receiver) -> None:
    receiver.script.append({"id": "call-77"})
    here = board(site, receiver)
    here.raise_(notice())
    await here.work()

    (request,) = receiver.requests
    assert verify(request, KEY)
    assert int(request.headers["webhook-timestamp"]) == T0 // SECOND
    body = request.json
    assert (body["type"], body["timestamp"]) == ("alert.notice", "2026-01-01T00:00:00+00:00")
    assert body["data"]["alert"] == "alert-1"
    assert body["data"]["unit"] == "bed-007"
    assert b"wang" not in request.body
    row = deliveries(here.database)["*", "board"]
    assert (row["state"], row["attempts"], row["provider_id"]) == ("sent", 1, "call-77")


async def test_a_changed_body_does_not_verify(site: Furnish, receiver: Receiver) -> None:
    here = board(site, receiver)
    here.raise_(notice())
    await here.work()
    (request,) = receiver.requests
    request.body = request.body.replace(b"bed-007", b"bed-008")
    assert not verify(request, KEY)


@pytest.mark.parametrize("trouble", [500, 503, 404, 302, 429, "close", "hang"])
async def test_what_is_not_taken_comes_again_under_the_same_id(
    site: Furnish, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, trouble: int | str
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", (2.0, 0.2))
    receiver.script.append(trouble)
    here = board(site, receiver)
    here.raise_(notice())
    await here.work()
    row = deliveries(here.database)["*", "board"]
    assert (row["state"], row["attempts"], row["next_at"]) == ("pending", 1, T0 + 5 * SECOND)
    assert row["last_error"] == (f"HTTP {trouble}" if isinstance(trouble, int) else row["last_error"])
    assert row["last_error"]

    here.now += 5 * SECOND - 1
    await here.work()
    assert len(receiver.requests) == 1, "not before its time"
    here.now += 1
    await here.work()
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert verify(second, KEY)
    row = deliveries(here.database)["*", "board"]
    assert (row["state"], row["attempts"], row["last_error"]) == ("sent", 2, None)


async def test_nobody_listens_at_the_port(site: Furnish) -> None:
    with receiving() as gone:
        port = gone.port
    here = site(hook("board", "system", f"http://127.0.0.1:{port}"), {"key": KEY})
    here.raise_(notice())
    await here.work()
    row = deliveries(here.database)["*", "board"]
    assert (row["state"], row["last_error"]) == ("pending", "ConnectionError")


async def test_attempts_end_in_a_dead_letter_that_a_person_can_send_again(site: Furnish, receiver: Receiver) -> None:
    receiver.after = 500
    here = board(site, receiver)
    here.raise_(notice())
    await here.work()
    waits = []
    while (row := deliveries(here.database)["*", "board"])["state"] == "pending":
        waits.append((row["next_at"] - here.now) // SECOND)
        here.now = row["next_at"]
        await here.work()
    assert waits == [5, 10, 20, 40, 80, 160, 320]
    assert (row["state"], row["attempts"], row["last_error"]) == ("dead", ATTEMPTS, "HTTP 500")
    assert len(receiver.requests) == ATTEMPTS
    assert here.metric("lastmile_deliveries_dead") == 1
    assert here.metric("lastmile_delivery_attempts_total", purpose="system", state="dead") == 1

    receiver.after = 200
    again = here.database.submit(lambda c: notifications.retry(c, notice().id, here.now)).result()
    assert again == 1
    here.notifier.wake()
    await here.work()
    assert deliveries(here.database)["*", "board"]["state"] == "sent"
    assert here.metric("lastmile_deliveries_dead") == 0


async def test_an_hour_is_the_end_even_of_few_attempts(site: Furnish, receiver: Receiver) -> None:
    receiver.after = 500
    here = board(site, receiver)
    here.raise_(notice())
    await here.work()
    here.now += 60 * MINUTE  # the gateway was away
    await here.work()
    assert deliveries(here.database)["*", "board"]["state"] == "dead"
    assert len(receiver.requests) == 2, "what is late is tried once all the same"


async def test_a_strong_reminder_is_call_text_message_and_app(site: Furnish, receiver: Receiver) -> None:
    here = strong(site, receiver)
    here.raise_(notice(recipients=(WANG, "dr.li")))
    await here.work()

    told = {(name, row["state"]) for name, row in deliveries(here.database).items()}
    wanted = {SCREEN, (WANG, "voice"), (WANG, "sms"), (WANG, "app"), ("dr.li", "voice"), ("dr.li", "sms")}
    assert told == {(name, "sent") for name in wanted}
    by_path: dict[str, list[dict[str, Any]]] = {}
    for request in receiver.requests:
        by_path.setdefault(request.path, []).append(request.json)
    assert {call["data"]["address"] for call in by_path["/call"]} == {"13800000001", "13800000002"}
    assert {sms["to"] for sms in by_path["/sms"]} == {"13800000001", "13800000002"}
    assert len(by_path["/app/wang"]) == 1
    assert not [request for request in receiver.requests if b"nurse.wang" in request.body or b"dr.li" in request.body]


async def test_a_recipient_no_channel_reaches_is_a_dead_letter(site: Furnish, receiver: Receiver) -> None:
    here = strong(site, receiver)
    here.raise_(notice(recipients=("dr.zhao",)))
    await here.work()
    row = deliveries(here.database)["dr.zhao", ""]
    assert row["state"] == "dead"
    assert "notify.toml" in row["last_error"]
    assert receiver.requests == []

    account = {"dr.zhao": here.settings.account[WANG]}  # the site adds the address and somebody asks again
    here.settings.account.update(account)
    assert here.database.submit(lambda c: notifications.retry(c, notice().id, here.now)).result() == 1
    here.notifier.wake()
    await here.work()
    assert {name[1] for name, row in deliveries(here.database).items() if row["state"] == "sent"} == {
        "screen", "voice", "sms", "app",
    }  # fmt: skip


async def test_high_goes_first_and_a_channel_that_hangs_holds_up_only_itself(
    site: Furnish, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as slow:
        slow.after = "hang"
        toml = hook("voice", "call", slow.url) + by_apprise("sms", "sms")
        here = site(toml, {"key": KEY, "sms.url": f"json://127.0.0.1:{receiver.port}/sms?:to={{address}}"})
        low = [notice(n, priority=Priority.LOW, at=T0 + n) for n in range(1, 5)]
        here.raise_(*low, notice(9, priority=Priority.HIGH, at=T0 + 9))
        while [row["state"] for row in all_deliveries(here.database) if row["channel"] == "sms"] != ["sent"] * 5:
            here.notifier._awake.clear()
            if await here.notifier.turn() > 0 and here.notifier._in_flight["sms"]:
                await asyncio.wait_for(here.notifier._awake.wait(), 20)
        texts = [request.json["message"] for request in receiver.requests]
        assert any("HIGH" in text for text in texts[:IN_FLIGHT]), "among the first that go out"
        assert all("LOW" in text for text in texts[IN_FLIGHT:])
        assert len(slow.requests) <= IN_FLIGHT, "a channel that hangs has a bounded number of threads"
        assert here.metric("lastmile_deliveries_waiting") == 5
        slow.after = 200
        slow.release.set()
        await here.work()
        assert {row["state"] for row in all_deliveries(here.database)} <= {"sent", "pending"}
