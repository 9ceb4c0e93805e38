"""Sessions, passwords, accounts."""

import hashlib
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.adapters import accounts, tables
from gateway.api.passwords import secret_hash, verify_password
from gateway.api.ports import Actor, Role
from tests.unit.api.conftest import PASSWORD, SECOND, Hospital

SESSION = "/api/v1/session"


async def test_signing_in_says_who_and_sets_a_careful_cookie(hospital: Hospital, stranger: Any) -> None:
    answer = await stranger.post(SESSION, json={"username": "nurse.north", "password": PASSWORD})
    assert answer.json() == {
        "username": "nurse.north", "role": "nurse", "sites": ["north"], "demo": False,
        "password_change_required": False,
    }  # fmt: skip
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie, "plain http on this machine"
    secret = stranger.cookies["lastmile_session"]
    assert len(secret) >= 43
    stored = hospital.database.submit(lambda db: list(db.execute(select(tables.session.c.id_hash)).scalars())).result()
    assert stored == [hashlib.sha256(secret.encode()).hexdigest()]
    assert (await stranger.get(SESSION)).json()["username"] == "nurse.north"


@pytest.mark.parametrize("base", ["https://localhost", "http://lastmile.hospital.example", "https://lastmile.example"])
async def test_elsewhere_the_cookie_needs_tls(hospital: Hospital, base: str) -> None:
    async with hospital.client() as client:
        answer = await client.post(base + SESSION, json={"username": "nurse", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]


async def test_every_sign_in_makes_a_new_session_and_ends_the_one_it_found(hospital: Hospital) -> None:
    async with hospital.client("doctor") as client:
        first = client.cookies["lastmile_session"]
        await client.post(SESSION, json={"username": "doctor", "password": PASSWORD})
        assert client.cookies["lastmile_session"] != first
    async with hospital.client(cookies={"lastmile_session": first}) as thief:
        assert (await thief.get(SESSION)).status_code == 401


async def test_a_planted_session_is_not_taken_over(hospital: Hospital) -> None:
    async with hospital.client(cookies={"lastmile_session": "planted"}) as client:
        await client.post(SESSION, json={"username": "doctor", "password": PASSWORD})
    async with hospital.client(cookies={"lastmile_session": "planted"}) as attacker:
        assert (await attacker.get(SESSION)).status_code == 401


async def test_a_session_ends_after_twelve_hours_however_busy(hospital: Hospital) -> None:
    async with hospital.client("doctor") as client:
        hospital.clock.now += 12 * 3600 * SECOND - 1
        assert (await client.get(SESSION)).status_code == 200
        hospital.clock.now += 1
        assert (await client.get(SESSION)).status_code == 401


async def test_signing_out_closes_the_screens_at_once(hospital: Hospital) -> None:
    async with hospital.client("doctor") as client:
        session = secret_hash(client.cookies["lastmile_session"])
        screen = hospital.hub.open(Actor("doctor", Role.DOCTOR, ("*",), session))
        await client.delete(SESSION)
    assert screen.close_code == 4401


async def test_signing_out_ends_the_session(hospital: Hospital) -> None:
    async with hospital.client("doctor") as client:
        secret = client.cookies["lastmile_session"]
        assert (await client.delete(SESSION)).status_code == 204
        assert not client.cookies
    async with hospital.client(cookies={"lastmile_session": secret}) as thief:
        assert (await thief.get(SESSION)).status_code == 401


@pytest.mark.parametrize(
    "body", [{"username": "doctor", "password": "wrong"}, {"username": "nobody", "password": PASSWORD}]
)
async def test_a_wrong_name_and_a_wrong_password_look_the_same(hospital: Hospital, stranger: Any, body: Any) -> None:
    answer = await stranger.post(SESSION, json=body)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "user name and password do not fit"
    assert "set-cookie" not in answer.headers
    assert await hospital.audit() == [(body["username"], "sign-in-failed", "127.0.0.1")]


async def test_an_unknown_name_costs_a_hash_too(hospital: Hospital, stranger: Any, monkeypatch: Any) -> None:
    tried: list[str | None] = []

    def spy(stored: str | None, password: str) -> bool:
        tried.append(stored)
        return verify_password(stored, password)

    monkeypatch.setattr("gateway.api.routes.session.verify_password", spy)
    for name in ("doctor", "nobody"):
        await stranger.post(SESSION, json={"username": name, "password": "wrong"})
    assert tried[0] is not None
    assert tried[1:] == [None]


async def test_guessing_is_slowed_down(hospital: Hospital, stranger: Any) -> None:
    body = {"username": "doctor", "password": "wrong"}
    answers = [(await stranger.post(SESSION, json=body)).status_code for _ in range(7)]
    assert answers == [401] * 5 + [429] * 2
    right = {"username": "doctor", "password": PASSWORD}
    refused = await stranger.post(SESSION, json=right)
    assert refused.status_code == 429, "not even the right password, while waiting"
    assert refused.json()["reason"] == "too-many-attempts"
    hospital.clock.now += int(refused.headers["retry-after"]) * SECOND
    assert (await stranger.post(SESSION, json=right)).status_code == 200


async def test_a_whole_shift_signs_in_from_behind_one_proxy(stranger: Any) -> None:
    right = {"username": "doctor", "password": PASSWORD}
    assert {(await stranger.post(SESSION, json=right)).status_code for _ in range(35)} == {200}


async def test_signing_in_oneself_buys_no_guesses(stranger: Any) -> None:
    """Neither other names nor a good account of one's own make guessing from one address any faster."""
    right = {"username": "doctor", "password": PASSWORD}
    answers = []
    for number in range(31):
        answers.append((await stranger.post(SESSION, json={"username": f"n{number}", "password": "?"})).status_code)
        await stranger.post(SESSION, json=right)
    assert answers == [401] * 30 + [429]


async def test_a_disabled_account_is_out_at_once(hospital: Hospital) -> None:
    async with hospital.client("doctor") as doctor, hospital.client("admin") as admin:
        assert (await admin.patch("/api/v1/accounts/doctor", json={"disabled": True})).status_code == 200
        assert (await doctor.get(SESSION)).status_code == 401
        again = await doctor.post(SESSION, json={"username": "doctor", "password": PASSWORD})
        assert again.status_code == 401
        assert (await admin.patch("/api/v1/accounts/doctor", json={"disabled": False})).json()["disabled_at"] is None
        assert (await doctor.post(SESSION, json={"username": "doctor", "password": PASSWORD})).status_code == 200


async def test_new_rights_need_a_new_session(hospital: Hospital) -> None:
    async with hospital.client("doctor") as doctor, hospital.client("admin") as admin:
        await admin.patch("/api/v1/accounts/doctor", json={"role": "ops"})
        assert (await doctor.get("/api/v1/units")).status_code == 401


async def test_the_first_secret_only_serves_to_choose_a_password(hospital: Hospital, stranger: Any) -> None:
    remove = update(tables.account).where(tables.account.c.role == "admin").values(disabled_at=1)
    hospital.database.submit(lambda db: db.execute(remove)).result()
    secret = hospital.database.submit(lambda db: accounts.ensure_admin(db, hospital.clock.now)).result()
    assert secret
    assert hospital.database.submit(lambda db: accounts.ensure_admin(db, hospital.clock.now)).result() is None
    signed_in = await stranger.post(SESSION, json={"username": "admin", "password": secret})
    assert signed_in.json()["password_change_required"] is True
    refused = await stranger.get("/api/v1/accounts")
    assert (refused.status_code, refused.json()["reason"]) == (403, "password-change-required")
    change = {"password": secret, "new_password": "a new and long one"}
    assert (await stranger.post(SESSION + "/password", json=change)).json()["password_change_required"] is False
    assert (await stranger.get("/api/v1/accounts")).status_code == 200
    assert (await stranger.post(SESSION, json={"username": "admin", "password": secret})).status_code == 401


async def test_a_new_password_ends_the_other_sessions(hospital: Hospital) -> None:
    async with hospital.client("doctor") as here, hospital.client("doctor") as there:
        change = {"password": PASSWORD, "new_password": "a new and long one"}
        assert (await here.post(SESSION + "/password", json=change)).status_code == 200
        assert (await here.get(SESSION)).status_code == 200
        assert (await there.get(SESSION)).status_code == 401


async def test_a_new_account_must_choose_its_password(hospital: Hospital) -> None:
    account = {"name": "dr.li", "role": "doctor", "sites": ["north"], "password": PASSWORD}
    async with hospital.client("admin") as admin:
        created = await admin.post("/api/v1/accounts", json=account)
        assert created.status_code == 201
        assert "password" not in created.text.replace("must_change_password", "")
        assert (await admin.post("/api/v1/accounts", json=account)).json()["reason"] == "already-exists"
        unknown = await admin.post("/api/v1/accounts", json=account | {"name": "x", "sites": ["moon"]})
        assert unknown.json()["reason"] == "unknown-site"
    async with hospital.client("dr.li") as client:
        assert (await client.get("/api/v1/units")).json()["reason"] == "password-change-required"


async def test_somebody_can_always_manage_accounts(hospital: Hospital) -> None:
    async with hospital.client("admin") as admin:
        for change in ({"disabled": True}, {"role": Role.OPS}, {"sites": ["north"]}):
            refused = await admin.patch("/api/v1/accounts/admin", json=change)
            assert (refused.status_code, refused.json()["reason"]) == (409, "last-admin")


async def test_what_people_do_is_written_down(hospital: Hospital) -> None:
    async with hospital.client("doctor") as doctor:
        await doctor.post("/api/v1/alerts/alert-1/acknowledge")
        await doctor.patch("/api/v1/associations/1", json={})
        await doctor.delete(SESSION)
    async with hospital.client("admin") as admin:
        await admin.get("/api/v1/rejects/1")
        await admin.patch("/api/v1/accounts/nurse", json={"role": "ops", "password": "some other password"})
    assert await hospital.audit() == [
        ("doctor", "signed-in", "127.0.0.1"),
        ("doctor", "acknowledge", "alert-1"),
        ("doctor", "association-ended", "1"),
        ("doctor", "signed-out", ""),
        ("admin", "signed-in", "127.0.0.1"),
        ("admin", "reject-viewed", "1"),
        ("admin", "account-changed", "nurse"),
    ]
    rows = hospital.database.submit(lambda db: list(db.execute(select(tables.audit_log.c.details)).scalars())).result()
    assert not any("some other" in details for details in rows)
