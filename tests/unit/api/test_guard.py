"""What every request passes, and that every error is a problem document."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from gateway.api.ports import DemoLogin
from gateway.api.rate_limit import RateLimiter
from tests.unit.api.conftest import PASSWORD, Hospital

SIGN_IN = {"username": "doctor", "password": PASSWORD}
ACKNOWLEDGE = "/api/v1/alerts/alert-1/acknowledge"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://localhost"}, 200),
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:8080"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
async def test_a_page_of_another_site_cannot_act(hospital: Hospital, headers: dict[str, str], status: int) -> None:
    async with hospital.client("doctor") as client:
        answer = await client.post(ACKNOWLEDGE, headers=headers)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["reason"] == "cross-site"
            alert = (await client.get("/api/v1/alerts/alert-1")).json()
            assert alert["state"] == "firing"


@pytest.mark.parametrize(("method", "path"), [("POST", "session"), ("DELETE", "session"), ("PATCH", "accounts/nurse")])
async def test_nor_sign_in_out_or_change_accounts(hospital: Hospital, method: str, path: str) -> None:
    async with hospital.client("admin") as client:
        answer = await client.request(
            method, f"/api/v1/{path}", json=SIGN_IN, headers={"origin": "http://evil.example"}
        )
        assert (answer.status_code, answer.json()["reason"]) == (403, "cross-site")


async def test_over_tls_a_plain_page_of_the_same_name_is_another_site(hospital: Hospital) -> None:
    async with hospital.client("doctor") as client:
        answer = await client.post(f"https://localhost{ACKNOWLEDGE}", headers={"origin": "http://localhost"})
    assert answer.json()["reason"] == "cross-site"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.0.2.7", "", "[", "127.0.0.1.evil.example"]
)
async def test_a_demo_answers_to_this_machine_only(build: Callable[..., Hospital], host: str) -> None:
    hospital = build(demo=DemoLogin("demo", "secret"))
    async with hospital.client() as client:
        refused = await client.get("/api/v1/about", headers={"host": host})
        assert (refused.status_code, refused.json()["reason"]) == (421, "bad-host")
        assert "secret" not in refused.text
        for name in ("localhost", "127.0.0.1:8080", "[::1]:8080"):
            answer = await client.get("/api/v1/about", headers={"host": name})
            assert answer.json()["demo_login"] == {"username": "demo", "password": "secret"}


async def test_outside_a_demo_there_is_no_login_to_see(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/api/v1/about")).json() == {"version": "0.1.0", "demo": False, "demo_login": None}


async def endless() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b" " * 1000


@pytest.mark.parametrize("length", [None, "65537", "9" * 30, "-1", "0x10"])
async def test_a_body_has_a_limit(stranger: httpx.AsyncClient, length: str | None) -> None:
    headers = {"content-type": "application/json"} | ({"content-length": length} if length else {})
    answer = await stranger.post("/api/v1/session", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too-large")


def assert_problem(answer: httpx.Response, status: int, reason: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["reason"]) == (status, reason)
    assert body["type"] == f"urn:lastmile:problem:{reason}"
    assert body["title"]
    assert body["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("GET", "/api", 404, "not-found"),
        ("GET", "/api/v1/units/amb-999", 404, "not-found"),
        ("DELETE", "/api/v1/units", 405, "method-not-allowed"),
        ("GET", ACKNOWLEDGE, 405, "method-not-allowed"),
        ("POST", "/healthz", 405, "method-not-allowed"),
        ("GET", "/api/v1/units/AMB", 422, "invalid-request"),
        ("GET", "/api/v1/alerts?state=some", 422, "invalid-request"),
        ("GET", "/api/v1/alerts?cursor=x", 422, "invalid-cursor"),
        ("GET", "/api/v1/alerts?cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMCwiIl0=", 422, "invalid-cursor"),
        ("GET", "/api/v1/units/amb-001/series?quantity=mood&from=0&to=1", 422, "unknown-quantity"),
        ("GET", "/api/v1/units/amb-001/series?quantity=spo2&from=0&to=99999999999999", 422, "range-too-long"),
        ("GET", "/api/v1/units/amb-001/series?quantity=spo2&from=0&to=10001&step=1", 422, "range-too-long"),
        ("GET", "/api/v1/units/amb-001/waveform?device=monitor&from=0&to=120000001", 422, "range-too-long"),
        ("POST", "/api/v1/session", 422, "invalid-request"),
        ("POST", "/api/v1/alerts/nothing/acknowledge", 404, "not-found"),
    ],
)
async def test_every_refusal_is_a_problem_document(
    hospital: Hospital, method: str, path: str, status: int, reason: str
) -> None:
    async with hospital.client("doctor") as client:
        assert_problem(await client.request(method, path), status, reason)


async def test_a_body_that_is_no_json_is_a_problem(stranger: httpx.AsyncClient) -> None:
    for content in (b"{", b"\xff\xfe", b'{"username": "\\ud800", "password": "x"}', b"[" * 20_000):
        answer = await stranger.post("/api/v1/session", content=content, headers={"content-type": "application/json"})
        assert answer.status_code in {400, 422}
        assert_problem(answer, answer.status_code, answer.json()["reason"])


async def test_a_refused_field_is_named_and_its_content_is_not(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/api/v1/session", json={"username": "doctor", "password": "p" * 300})
    assert_problem(answer, 422, "invalid-request")
    assert [error["where"] for error in answer.json()["errors"]] == [["body", "password"]]
    assert "ppp" not in answer.text


async def test_a_crash_is_a_problem_and_tells_nothing(build: Callable[..., Hospital], caplog: Any) -> None:
    def broken() -> list[str]:
        raise RuntimeError("secret of the house")

    hospital = build(readiness=broken)
    async with hospital.client() as client:
        answer = await client.get("/readyz")
    assert_problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "GET /readyz failed" in caplog.text


async def test_every_answer_carries_the_security_headers(hospital: Hospital) -> None:
    async with hospital.client("doctor") as client:
        for path in ("/", "/healthz", "/api/v1/units", "/api/v1/nothing"):
            headers = (await client.get(path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
        assert (await client.get("/api/v1/units")).headers["cache-control"] == "no-store"


def test_failures_are_forgotten_one_by_one() -> None:
    limiter = RateLimiter(burst=3, refill=10)
    for _ in range(3):
        assert limiter.wait("a", 100) == 0
        limiter.count("a", 100)
    assert limiter.wait("a", 100) == 10
    assert limiter.wait("a", 110) == 0
    assert limiter.wait("b", 100) == 0


def test_what_was_no_failure_is_taken_back() -> None:
    limiter = RateLimiter(burst=3, refill=10)
    for _ in range(20):
        limiter.count("a", 100)
        limiter.take_back("a")
    assert limiter.wait("a", 100) == 0
    limiter.take_back("nobody")
    for _ in range(3):
        limiter.count("a", 100)
    assert limiter.wait("a", 100) == 10


def test_the_limiter_does_not_grow() -> None:
    limiter = RateLimiter(burst=1, refill=10, max_keys=100)
    for number in range(1000):
        limiter.count(str(number), 0)
    assert len(limiter._full_at) == 100
    assert limiter.wait("999", 0) == 10


def test_two_applications_do_not_share_state(build: Callable[..., Hospital]) -> None:
    one, other = build(), build()
    assert isinstance(one.app, FastAPI)
    assert isinstance(one.services.metrics, CollectorRegistry)
    assert one.app.state.doorman is not other.app.state.doorman
