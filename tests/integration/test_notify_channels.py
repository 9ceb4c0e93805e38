"""Group robots that say 200 and mean no, mail, and what may not be in a log line. Real sockets."""

import asyncio
import logging
from typing import Any

import pytest
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot

from gateway.alerts.notice import Means, Reason
from tests.integration.notify_receivers import MailServer, Receiver
from tests.integration.notify_site import Furnish, by_apprise, strong
from tests.unit.notify.notices import MINUTE, SECOND, T0, all_deliveries, deliveries, notice

WANG = "nurse.wang"


ROBOTS = {
    "wecombot": ("wecombot://1e1f0c94secretkey", NotifyWeComBot, "errcode"),
    "dingtalk": ("dingtalk://secret@accesstoken1234", NotifyDingTalk, "errcode"),
    "feishu": ("feishu://accesstoken12345678", NotifyFeishu, "code"),
}


@pytest.fixture(params=ROBOTS)
def robot(request: pytest.FixtureRequest, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Its URL and the key of its verdict; the address in apprise's plugin leads to our receiver."""
    url, plugin, verdict = ROBOTS[request.param]
    monkeypatch.setattr(plugin, "notify_url", f"{receiver.url}/robot")
    receiver.after = {verdict: 0}
    return url, verdict


def content_of(body: dict[str, Any]) -> str:
    """The text in a robot's message, wherever this kind has it."""
    text = body.get("text") or body["content"]
    found: str = text.get("content") or text["text"]
    return found


async def test_a_burst_becomes_one_digest_without_a_name(
    site: Furnish, receiver: Receiver, robot: tuple[str, str]
) -> None:
    here = site(by_apprise("ward", "group"), {"ward.url": robot[0]})
    here.raise_(*(notice(n, unit=f"bed-{n:03}", at=T0 + n) for n in range(12)))
    await here.work()
    assert receiver.requests == [], "the bucket starts empty"
    here.now += 4 * SECOND
    await here.work()
    (request,) = receiver.requests
    text = content_of(request.json)
    assert all(f"bed-{n:03}" in text for n in range(12))
    assert WANG not in text
    assert "13800000001" not in request.body.decode()
    states = [row["state"] for row in all_deliveries(here.database) if row["channel"] == "ward"]
    assert states == ["sent"] * 12


async def test_a_robot_that_says_200_and_means_no(site: Furnish, receiver: Receiver, robot: tuple[str, str]) -> None:
    """45009 is WeCom's "too many messages"; apprise alone calls that success."""
    receiver.script.extend([{robot[1]: 45009}, {"something": "else"}])
    here = site(by_apprise("ward", "group"), {"ward.url": robot[0]})
    here.raise_(notice())
    for error in ("the robot refused it: 45009", "the robot's answer has no verdict"):
        here.now += 30 * SECOND
        await here.work()
        row = deliveries(here.database)["*", "ward"]
        assert (row["state"], row["last_error"]) == ("pending", error)
    here.now += 30 * SECOND
    await here.work()
    assert deliveries(here.database)["*", "ward"]["state"] == "sent"


async def test_a_storm_of_three_minutes_stays_within_the_limit(
    site: Furnish, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two alerts a second; whatever the worker does, no minute has more than 20 messages and all alerts are told."""
    monkeypatch.setattr(NotifyWeComBot, "notify_url", f"{receiver.url}/robot")
    receiver.after = {"errcode": 0}
    here = site(by_apprise("ward", "group"), {"ward.url": ROBOTS["wecombot"][0]})
    sent_at: list[int] = []
    for second in range(0, 180, 2):
        here.now = T0 + second * SECOND
        here.raise_(*(notice(second * 10 + n, at=here.now) for n in range(4)))
        before = len(receiver.requests)
        await here.work()
        sent_at += [here.now] * (len(receiver.requests) - before)
    here.now += MINUTE
    await here.work()
    windows = [sum(1 for other in sent_at if at <= other < at + MINUTE) for at in sent_at]
    assert 10 <= max(windows) <= 20
    states = {row["state"] for row in all_deliveries(here.database) if row["channel"] == "ward"}
    assert states == {"sent"}


async def test_mail_arrives_and_a_refused_address_does_not_count_as_sent(site: Furnish) -> None:
    mail = MailServer(refuse={"13800000002"})
    server = await asyncio.start_server(mail.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"mailto://127.0.0.1:{port}?from=lastmile@hospital.example&to={{address}}"
    here = site(by_apprise("post", "mail"), {"post.url": url})
    here.raise_(notice(means=Means.TASK, reason=Reason.ESCALATED))
    await here.work()
    ((to, received),) = mail.mails
    assert to == "wang@hospital.example"
    assert "heart" in str(received["subject"]).lower() or "心率" in str(received["subject"])
    part = received.get_body(("plain", "html"))
    assert part is not None
    assert "bed-007" in part.get_content()
    assert deliveries(here.database)[WANG, "post"]["state"] == "sent"

    mail.refuse.add("wang@hospital.example")
    here.raise_(notice(2, means=Means.TASK))
    await here.work()
    assert [row["state"] for row in all_deliveries(here.database) if row["channel"] == "post"] == ["sent", "pending"]
    server.close()
    await server.wait_closed()


async def test_no_secret_and_no_address_in_errors_and_logs(
    site: Furnish, receiver: Receiver, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.after = 500
    here = strong(site, receiver)
    here.raise_(notice())
    await here.work()
    rows = all_deliveries(here.database)
    errors = " ".join(row["last_error"] for row in rows if row["channel"] != "screen")
    assert "500" in errors
    out, err = capfd.readouterr()
    apprise_lines = [record.getMessage() for record in caplog.records if record.name.startswith("apprise")]
    for secret in ("token-of-sms", "13800000001", "MfKQ"):
        assert secret not in errors + out + err + "".join(apprise_lines)
