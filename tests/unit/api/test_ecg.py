"""A 12-lead ECG beside earlier ones of the same person, on the real store: an ST elevation that grows on the way."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, update

from firmware_sims.condition import Condition
from gateway.adapters import history, tables
from gateway.adapters.compactor import Compactor
from gateway.api.schemas import MAX_INSTANT
from gateway.contract import wire
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.derive.ecg.st_report import LIMB, TWELVE
from gateway.ports import RecordFlag
from tests.unit.api.conftest import HOUR, SECOND, T0, Hospital, put
from tests.unit.ecg.st_builders import Leads, frames, with_injury

DAY = 24 * HOUR
PRIOR_AT = T0 - 2 * DAY
ON_THE_WAY = (0.0, 0.08, 0.16, 0.24)  # mV in II, one minute after the other
URL = "/api/v1/units/amb-001/ecg"


@cache
def ecg(level: float, seed: int = 1) -> Leads:
    return with_injury(Condition(), {"II": level}, seed)


class Site:
    """Where signal is stored: a lane for every unit."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.lanes = 20

    def store(self, unit: str, device: str, at: int, sent: list[WaveFrame], flags: int = 0) -> None:
        """Frames of a recording that began at ``at``."""
        self.lanes += 1
        epoch = f"{self.lanes:016x}"
        lane = {"id": self.lanes, "unit": unit, "epoch": epoch, "lane": "wave", "next": 9, "seen_at": at}

        def job(db: Any) -> None:
            db.execute(insert(tables.lane).values(**lane))
            for seq, frame in enumerate(sent):
                body = replace(frame, seq=seq, device=device, observed_at=at + frame.observed_at)
                values = {
                    "observed_at": body.observed_at,
                    "event_at": body.observed_at,
                    "received_at": body.observed_at,
                }
                row = {"lane_id": lane["id"], "seq": seq, "device": device, "flags": flags, **values}
                db.execute(insert(tables.record).values(**row, payload=wire.encode(body)))

        self.hospital.database.submit(job).result()

    def ride(self, levels: tuple[float, ...] = ON_THE_WAY) -> None:
        """The monitor of amb-001, 10 s of every minute."""
        for minute, level in enumerate(levels):
            self.store("amb-001", "monitor", T0 + 60 * minute * SECOND, frames(ecg(level)))

    def kiosk(self, site: str = "north", *, subject: str = "person-north", **more: Any) -> None:
        """Two days before somebody had a resting ECG at a kiosk."""
        engine = self.hospital.database.engine
        put(engine, tables.unit, {
            "id": "kiosk-1", "site": site, "kind": "health-kiosk", "name": "K", "provenance": "simulated",
            "token_hash": "0" * 64, "registered_at": PRIOR_AT,
        })  # fmt: skip
        put(engine, tables.association, {
            "id": 77, "unit": "kiosk-1", "device": "*", "subject": subject, "start_at": PRIOR_AT - 60 * SECOND,
            "end_at": PRIOR_AT + 300 * SECOND, "source": "card", "end_reason": "ended",
        })  # fmt: skip
        self.store("kiosk-1", "resting-ecg", PRIOR_AT, frames(ecg(0.0, seed=3)), **more)


@pytest.fixture
def site(build: Callable[..., Hospital]) -> Site:
    return Site(build(history=history))


def minute_end(minute: int) -> int:
    return T0 + (60 * minute + 10) * SECOND


async def look(site: Site, at: int = minute_end(3), user: str = "doctor", device: str = "monitor") -> dict[str, Any]:
    async with site.hospital.client(user) as client:
        answer = await client.get(URL, params={"device": device, "at": at})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def level(shown: dict[str, Any], lead: str = "II") -> float:
    return next(float(row["j"]) for row in shown["leads"] if row["lead"] == lead)


def earlier(body: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["which"], one["ecg"]["end_at"]) for one in body["earlier"]]


def absent(body: dict[str, Any]) -> dict[str, str]:
    return {one["which"]: one["why"] for one in body["absent"]}


# ---- what is compared ------------------------------------------------------------------------------------------------


async def test_an_elevation_that_grows_on_the_way_beside_the_prior_ecg(site: Site) -> None:
    site.ride()
    site.kiosk()
    body = await look(site)
    assert body["person"] == "person-north"
    assert (body["now"]["start_at"], body["now"]["end_at"]) == (T0 + 180 * SECOND, minute_end(3))
    assert earlier(body) == [
        ("previous", minute_end(2)), ("previous", minute_end(1)), ("first", minute_end(0)),
        ("prior", PRIOR_AT + 10 * SECOND),
    ]  # fmt: skip
    assert level(body["now"]) == pytest.approx(0.24, abs=0.02)
    changes = [{row["lead"]: row for row in one["changes"]} for one in body["earlier"]]
    assert [found["II"]["change"] for found in changes] == pytest.approx([0.08, 0.16, 0.24, 0.24], abs=0.03)
    assert {row["lead"] for row in changes[2].values() if row["changed"]} == {"II", *LIMB}
    assert [one["reserve"] for one in body["earlier"]] == [[], [], [], []]
    prior = body["earlier"][3]["ecg"]
    assert (prior["unit"], prior["device"], body["absent"]) == ("kiosk-1", "resting-ecg", [])
    assert (body["changed_mv"], "does not diagnose" in body["notice"]) == (0.05, True)


async def test_rate_qrs_and_median_beat_come_with_the_levels(site: Site) -> None:
    site.ride((0.2,))
    now = (await look(site, minute_end(0)))["now"]
    assert [row["lead"] for row in now["leads"]] == list(TWELVE)
    assert now["heart_rate"] == pytest.approx(75, abs=4)
    assert 70 <= now["qrs_ms"] <= 120
    assert (now["low_cut_hz"], now["refused"], now["cautions"]) == (0.05, [], [])
    beat = now["beat"]
    rows = {row["lead"]: samples for row, samples in zip(now["leads"], beat["samples"], strict=True)}
    assert len({len(samples) for samples in rows.values()}) == 1
    at_j = rows["II"][beat["j"] : beat["j"] + 4]  # 8 ms
    assert sum(at_j) / 4 * beat["scale"] == pytest.approx(level(now), abs=0.001)
    assert beat["onset"] < beat["j"]


async def test_folded_signal_is_found_as_well(site: Site) -> None:
    """The monitor's leads lie in blocks, and so does the kiosk's recording."""
    site.ride()
    site.kiosk()
    before = await look(site)
    assert Compactor(site.hospital.database.engine, site.hospital.database).step(T0 + DAY) >= 2
    assert await look(site) == before


async def test_what_a_weak_link_brought_in_halves_is_whole_again(site: Site) -> None:
    sent = frames(ecg(0.2))
    half = 2 * sent[0].n
    two = [replace(one, leads=["II"], samples=one.samples[half : 2 * half]) for one in sent]
    rest = [
        replace(
            one, leads=[lead for lead in one.leads if lead != "II"], backfill=True,
            samples=one.samples[:half] + one.samples[2 * half :],
        )
        for one in sent
    ]  # fmt: skip
    site.store("amb-001", "monitor", T0, two)
    assert (await look(site, minute_end(0)))["now"]["refused"] == ["not-12-lead"]
    site.store("amb-001", "monitor", T0, rest)
    now = (await look(site, minute_end(0)))["now"]
    assert now["refused"] == []
    assert level(now) == pytest.approx(0.2, abs=0.02)


# ---- what there is none of -------------------------------------------------------------------------------------------


async def test_the_first_of_a_ride_has_nothing_before_it(site: Site) -> None:
    site.ride()
    body = await look(site, minute_end(0))
    assert earlier(body) == []
    assert absent(body) == {"previous": "no-signal", "first": "no-signal", "prior": "no-signal"}


async def test_the_second_has_a_first_and_no_previous(site: Site) -> None:
    site.ride()
    body = await look(site, minute_end(1))
    assert earlier(body) == [("first", minute_end(0))]
    assert absent(body) == {"previous": "no-signal", "prior": "no-signal"}


async def test_no_signal_then(site: Site) -> None:
    site.ride()
    body = await look(site, T0 + 30 * SECOND)
    assert (body["now"]["refused"], body["now"]["leads"], body["now"]["beat"]) == (["no-signal"], [], None)
    assert (body["now"]["heart_rate"], body["now"]["qrs_ms"]) == (None, None)
    assert (await look(site, device="other"))["now"]["refused"] == ["no-signal"]


def blanked(sent: list[WaveFrame], lead: int, frame: int) -> list[WaveFrame]:
    """One lead of one frame without samples."""
    one = sent[frame]
    blank = NO_SAMPLE.to_bytes(2, "little", signed=True) * one.n
    samples = one.samples[: 2 * one.n * lead] + blank + one.samples[2 * one.n * (lead + 1) :]
    return [*sent[:frame], replace(one, samples=samples), *sent[frame + 1 :]]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda sent: blanked(sent, 7, 20), "lead-off"),
        (lambda sent: [*sent[:20], *sent[21:]], "shorter-than-10-s"),
        (lambda sent: [replace(one, filter="0.5-40 Hz") for one in sent], "filter-not-fit-for-st"),
        (
            lambda sent: [replace(one, samples=bytes(len(one.samples))) for one in sent],
            "no-clear-beats",
        ),
    ],
)
async def test_a_window_that_may_not_be_measured_says_why_and_is_passed_over(
    site: Site, spoil: Callable[[list[WaveFrame]], list[WaveFrame]], why: str
) -> None:
    site.store("amb-001", "monitor", T0, spoil(frames(ecg(0.0))))
    for minute in (1, 2, 3):
        site.store("amb-001", "monitor", T0 + 60 * minute * SECOND, frames(ecg(0.1)))
    refused = await look(site, minute_end(0))
    assert refused["now"]["refused"] == [why]
    assert earlier(await look(site)) == [("previous", minute_end(2)), ("first", minute_end(1))]
    if why != "shorter-than-10-s":  # of which no whole window is left
        assert absent(await look(site, minute_end(1)))["first"] == why


async def test_one_that_cannot_be_measured_is_shown_beside_those_that_were(site: Site) -> None:
    site.ride((0.0, 0.1))
    site.store("amb-001", "monitor", T0 + 120 * SECOND, blanked(frames(ecg(0.2)), 0, 49))
    body = await look(site, minute_end(2))
    assert body["now"]["refused"] == ["lead-off"]
    assert [one["which"] for one in body["earlier"]] == ["previous", "first"]
    assert [(one["changes"], one["reserve"]) for one in body["earlier"]] == [([], ["not-measured"])] * 2


async def test_other_filters_are_named_and_leads_that_were_not_sent_are_calculated(site: Site) -> None:
    site.store("amb-001", "monitor", T0, frames(ecg(0.0), ""))
    eight = {name: row for name, row in ecg(0.2).items() if name not in LIMB}
    site.store("amb-001", "monitor", T0 + 60 * SECOND, frames(eight))
    body = await look(site, minute_end(1))
    [first] = body["earlier"]
    assert (first["reserve"], first["missing"], len(first["changes"])) == (["filters-differ"], [], 12)
    assert (first["ecg"]["low_cut_hz"], first["ecg"]["cautions"]) == (None, ["filter-unknown"])
    assert {row["lead"] for row in body["now"]["leads"] if row["calculated"]} == set(LIMB)
    assert not any(row["calculated"] for row in first["ecg"]["leads"])


# ---- whose -----------------------------------------------------------------------------------------------------------


async def test_nobody_bound_means_no_prior_and_a_warning(site: Site) -> None:
    site.ride()
    site.kiosk()
    site.hospital.database.submit(
        lambda db: db.execute(update(tables.association).where(tables.association.c.id == 1).values(voided_at=T0))
    ).result()
    body = await look(site)
    assert (body["person"], absent(body)) == (None, {"prior": "nobody-bound"})
    assert [one["reserve"] for one in body["earlier"]] == [["person-unknown"]] * 3


async def test_a_ride_begins_with_the_person(site: Site) -> None:
    """What the monitor recorded of whoever lay there before is not theirs."""
    site.ride()
    begin = T0 + 50 * SECOND
    site.hospital.database.submit(
        lambda db: db.execute(update(tables.association).where(tables.association.c.id == 1).values(start_at=begin))
    ).result()
    body = await look(site)
    assert body["ride_from"] == begin
    assert earlier(body) == [("previous", minute_end(2)), ("first", minute_end(1))]


@pytest.mark.parametrize("flag", [RecordFlag.TEST, RecordFlag.SERVICE])
async def test_practice_is_nobodys_prior(site: Site, flag: int) -> None:
    site.ride()
    site.kiosk(flags=flag)
    assert absent(await look(site)) == {"prior": "no-signal"}


async def test_what_was_recorded_in_service_is_not_the_first_of_a_ride(site: Site) -> None:
    site.store("amb-001", "monitor", T0, frames(ecg(0.0)), flags=RecordFlag.SERVICE)
    for minute in (1, 2):
        site.store("amb-001", "monitor", T0 + 60 * minute * SECOND, frames(ecg(0.1)))
    assert earlier(await look(site, minute_end(2))) == [("first", minute_end(1))]


async def test_a_device_that_spoke_for_somebody_else_within_the_session_gives_no_prior(site: Site) -> None:
    site.ride()
    site.kiosk()
    put(site.hospital.database.engine, tables.association, {
        "id": 79, "unit": "kiosk-1", "device": "resting-ecg", "subject": "person-south", "start_at": PRIOR_AT,
        "end_at": PRIOR_AT + 20 * SECOND, "source": "manual", "confirmed_by": "nurse",
    })  # fmt: skip
    assert absent(await look(site)) == {"prior": "no-signal"}


async def test_somebody_elses_ecg_is_no_prior(site: Site) -> None:
    site.ride()
    site.kiosk(subject="person-south")
    assert absent(await look(site)) == {"prior": "no-signal"}


async def test_a_corrected_session_is_theirs_at_once(site: Site) -> None:
    site.ride()
    site.kiosk(subject="person-south")
    async with site.hospital.client("doctor") as client:
        correction = {"subject": "person-north", "reason": "the cards were swapped"}
        answer = await client.post("/api/v1/associations/77/correct", json=correction)
    assert answer.status_code == 200
    assert earlier(await look(site))[-1] == ("prior", PRIOR_AT + 10 * SECOND)


async def test_a_prior_ecg_of_another_site_is_shown_to_those_who_see_that_site(site: Site) -> None:
    site.ride()
    site.kiosk("south")
    assert absent(await look(site, user="doctor.north")) == {"prior": "no-signal"}
    assert earlier(await look(site, user="doctor"))[-1][0] == "prior"


async def test_an_earlier_ride_of_the_same_unit_is_a_prior(site: Site) -> None:
    site.ride()
    before = T0 - DAY
    put(site.hospital.database.engine, tables.association, {
        "id": 78, "unit": "amb-001", "device": "monitor", "subject": "person-north", "start_at": before,
        "end_at": before + HOUR, "source": "manual", "confirmed_by": "doctor",
    })  # fmt: skip
    for seconds in (0, 300):
        site.store("amb-001", "monitor", before + seconds * SECOND, frames(ecg(0.0, seed=2)))
    assert earlier(await look(site))[-1] == ("prior", before + 310 * SECOND), "its newest"


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "query", "status", "reason"),
    [
        ("amb-001", f"?device=monitor&at={MAX_INSTANT + 1}", 422, "invalid-request"),
        ("amb-001", "?device=monitor&at=-1", 422, "invalid-request"),
        ("amb-001", "?device=monitor&at=noon", 422, "invalid-request"),
        ("amb-001", "?device=monitor", 422, "invalid-request"),
        ("amb-001", f"?at={T0}", 422, "invalid-request"),
        ("amb-001", f"?device=../x&at={T0}", 422, "invalid-request"),
        ("amb-999", f"?device=monitor&at={T0}", 404, "not-found"),
    ],
)
async def test_illegal_requests(site: Site, unit: str, query: str, status: int, reason: str) -> None:
    async with site.hospital.client("doctor") as client:
        answer = await client.get(f"/api/v1/units/{unit}/ecg{query}")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("at", [0, 1, MAX_INSTANT])
async def test_the_ends_of_time_hold_no_signal(site: Site, at: int) -> None:
    assert (await look(site, at))["now"]["refused"] == ["no-signal"]
