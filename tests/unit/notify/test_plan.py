"""Who is told through what: one notice against one site's settings."""

import pytest

from gateway.adapters.notify.plan import EVERYBODY, Planned, address_of, idempotency_key, plan
from gateway.adapters.notify.settings import SCREEN, Address, Channel, NotifySettings, Purpose, Quiet
from gateway.alerts.notice import Means, Notice
from gateway.rules.catalogue import Priority
from tests.unit.notify.notices import MINUTE, T0, notice

CHANNELS = {
    "pbx": Channel(purpose=Purpose.CALL),
    "texts": Channel(purpose=Purpose.SMS),
    "wecom": Channel(purpose=Purpose.APP),
    "post": Channel(purpose=Purpose.MAIL),
    "ward-group": Channel(purpose=Purpose.GROUP, sites=["north"]),
    "board": Channel(purpose=Purpose.SYSTEM, priorities=[Priority.HIGH]),
}
WANG = Address(phone="13800000001", app="wang", mail="wang@hospital.example")
SETTINGS = NotifySettings(
    channel=CHANNELS, account={"nurse.wang": WANG, "dr.li": Address(phone="13800000002")},
    role={"family": Address(phone="13900000003"), "crew@amb-001": Address(phone="13900000004")},
)  # fmt: skip
SHARED = {(EVERYBODY, SCREEN), (EVERYBODY, "ward-group"), (EVERYBODY, "board")}


def pairs(of: Notice, settings: NotifySettings = SETTINGS) -> set[tuple[str, str]]:
    planned = plan(of, settings, T0)
    found = {(one.recipient, one.channel) for one in planned}
    assert len(found) == len(planned)
    return found


@pytest.mark.parametrize(
    ("means", "channels"),
    [
        (Means.STRONG, {"pbx", "texts", "wecom"}),
        (Means.CALL, {"pbx"}),
        (Means.APP, {"wecom", "post"}),
        (Means.TASK, {"wecom", "post"}),
    ],
)
def test_means_are_channels(means: Means, channels: set[str]) -> None:
    assert pairs(notice(means=means)) == SHARED | {("nurse.wang", channel) for channel in channels}


def test_every_recipient_by_every_address() -> None:
    both = pairs(notice(recipients=("nurse.wang", "dr.li")))
    assert both - SHARED == {
        ("nurse.wang", "pbx"), ("nurse.wang", "texts"), ("nurse.wang", "wecom"), ("dr.li", "pbx"), ("dr.li", "texts"),
    }  # fmt: skip


def test_a_role_without_accounts_has_an_address_of_its_own() -> None:
    assert ("role:family", "pbx") in pairs(notice(role="family", recipients=(), means=Means.CALL))


def test_a_role_may_have_an_address_at_one_unit_only() -> None:
    crew = notice(role="crew", recipients=(), unit="amb-001", means=Means.CALL)
    assert ("role:crew", "pbx") in pairs(crew)
    assert address_of("role:crew", "amb-001", SETTINGS).phone == "13900000004"
    assert address_of("role:crew", "amb-002", SETTINGS).phone == ""
    assert address_of("role:family", "bed-007", SETTINGS).phone == "13900000003"


@pytest.mark.parametrize(
    "unreached",
    [
        notice(recipients=("nobody.known",)),
        notice(recipients=("dr.li",), means=Means.APP),  # only a phone
        notice(role="crew", recipients=()),
    ],
)
def test_whom_nothing_reaches_is_a_dead_letter_and_no_silence(unreached: Notice) -> None:
    personal = [one for one in plan(unreached, SETTINGS, T0) if one.recipient != EVERYBODY]
    assert len(personal) == 1
    assert personal[0].channel == ""
    assert "notify.toml" in (personal[0].trouble or "")


def test_groups_and_systems_take_what_concerns_them() -> None:
    assert (EVERYBODY, "ward-group") not in pairs(notice(site="south"))
    assert (EVERYBODY, "ward-group") in pairs(notice(site="")), "about the gateway itself: every site"
    assert (EVERYBODY, "board") not in pairs(notice(priority=Priority.MEDIUM))


def test_a_simulated_notice_never_leaves_the_house() -> None:
    assert plan(notice(simulated=True), SETTINGS, T0) == [Planned(EVERYBODY, SCREEN, T0)]


def test_a_site_without_personal_channels_has_no_dead_letter_with_every_alert() -> None:
    shared = {name: CHANNELS[name] for name in ("ward-group", "board")}
    assert pairs(notice(), NotifySettings(channel=shared)) == SHARED


def test_without_channels_there_are_screens() -> None:
    assert plan(notice(), NotifySettings(), T0) == [Planned(EVERYBODY, SCREEN, T0)]


# 08:00 in Shanghai is T0
@pytest.mark.parametrize(
    ("start", "end", "now", "minutes"),
    [
        ("22:00", "09:30", T0, 90),  # over midnight, in its morning
        ("22:00", "09:30", T0 + 14 * 60 * MINUTE, 11 * 60 + 30),  # 22:00 sharp is inside
        ("22:00", "09:30", T0 + 90 * MINUTE, 0),  # the end is outside
        ("07:00", "08:01", T0, 1),
        ("08:01", "09:00", T0, 0),
    ],
)
def test_quiet_hours_hold_back_until_they_are_over(start: str, end: str, now: int, minutes: int) -> None:
    settings = NotifySettings(
        channel=CHANNELS, account={"nurse.wang": WANG}, quiet=[Quiet(start=start, end=end, purposes=[Purpose.APP])]
    )
    due = {one.channel: one.due_at for one in plan(notice(priority=Priority.LOW, means=Means.APP), settings, now)}
    assert due["wecom"] == now + minutes * MINUTE
    assert due["post"] == due[SCREEN] == now, "another purpose does not wait"
    high = {one.channel: one.due_at for one in plan(notice(means=Means.APP), settings, now)}
    assert high["wecom"] == now, "high priority never waits"


def test_keys_are_stable_and_unlike() -> None:
    one = idempotency_key("n1", "nurse.wang", "pbx")
    assert one == idempotency_key("n1", "nurse.wang", "pbx")
    others = {("n2", "nurse.wang", "pbx"), ("n1", "dr.li", "pbx"), ("n1", "nurse.wang", "texts")}
    assert len({one, *(idempotency_key(*other) for other in others)}) == 4
    assert one.startswith("msg_")
    assert "." not in one, "the separator of what is signed"
