"""Signing in and out: ``/session``."""

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from gateway.api.auth import COOKIE, SESSION_SECONDS, TheServices, set_session_cookie, signed_in
from gateway.api.passwords import hash_password, new_secret, secret_hash, verify_password
from gateway.api.ports import Account, Actor
from gateway.api.problems import ProblemError, Reason
from gateway.api.rate_limit import RateLimiter
from gateway.api.schemas import Credentials, PasswordChange, SessionState
from gateway.api.services import Services

router = APIRouter(prefix="/session", tags=["session"])
SignedIn = Annotated[Actor, Depends(signed_in)]

_SECOND = 1_000_000


class Doorman:
    """Checks passwords: few at a time, and not for ever for one caller."""

    def __init__(self) -> None:
        self._per_name = RateLimiter(burst=5, refill=30 * _SECOND)
        self._per_address = RateLimiter(burst=30, refill=5 * _SECOND)
        self._hashing = asyncio.Semaphore(2)  # argon2 takes 19 MiB and a core each

    def admit(self, name: str, address: str, now: int) -> None:
        """Lets the caller try.

        Raises:
            ProblemError: 429, too many failures.
        """
        wait = max(self._per_name.wait(f"{name} {address}", now), self._per_address.wait(address, now))
        if wait:
            seconds = str(-(-wait // _SECOND))
            raise ProblemError(
                429, Reason.TOO_MANY_ATTEMPTS, f"try again in {seconds} s", headers={"Retry-After": seconds}
            )

    async def fits(self, account: Account | None, password: str) -> bool:
        """Whether the password opens the account; as slow for accounts that do not exist."""
        usable = account is not None and account.disabled_at is None
        stored = account.password_hash if account and usable else None
        async with self._hashing:
            return await asyncio.to_thread(verify_password, stored, password)

    async def hash(self, password: str) -> str:
        """argon2id hash of a new password."""
        async with self._hashing:
            return await asyncio.to_thread(hash_password, password)

    def failed(self, name: str, address: str, now: int) -> None:
        self._per_name.count(f"{name} {address}", now)
        self._per_address.count(address, now)

    def succeeded(self, name: str, address: str) -> None:
        self._per_name.forgive(f"{name} {address}")
        self._per_address.take_back(address)  # a whole shift signs in from behind one proxy


def doorman_of(request: Request) -> Doorman:
    """The one of this application."""
    doorman: Doorman = request.app.state.doorman
    return doorman


TheDoorman = Annotated[Doorman, Depends(doorman_of)]


def _state(actor: Actor, services: Services) -> SessionState:
    return SessionState(
        username=actor.name,
        role=actor.role,
        sites=list(actor.sites),
        demo=services.demo is not None,
        password_change_required=actor.must_change_password,
    )


@router.post("", summary="Sign in", responses={401: {}, 403: {}, 429: {}})
async def sign_in(
    body: Credentials, request: Request, response: Response, services: TheServices, doorman: TheDoorman
) -> SessionState:
    """Sets the session cookie (12 hours, HttpOnly, SameSite=Strict)."""
    account = await _check(body.username, body.password, request, services, doorman)
    actor = await _open(account, request, response, services, "signed-in")
    return _state(actor, services)


async def _check(name: str, password: str, request: Request, services: Services, doorman: Doorman) -> Account:
    """The account, if the password opens it; a failure is counted and audited."""
    address = request.client.host if request.client else ""
    now = services.clock()
    doorman.admit(name, address, now)
    doorman.failed(name, address, now)  # counted before it is known: attempts side by side must not slip through
    account = await services.read(lambda db: services.accounts.find(db, name))
    if await doorman.fits(account, password) and account is not None:
        doorman.succeeded(name, address)
        return account
    await services.write(lambda db: services.audit.append(db, now, name, "sign-in-failed", address, {}))
    raise ProblemError(401, Reason.BAD_CREDENTIALS, "user name and password do not fit")


async def _open(account: Account, request: Request, response: Response, services: Services, action: str) -> Actor:
    """A new session, never one the browser brought along."""
    secret = new_secret()
    actor = Actor(account.name, account.role, account.sites, secret_hash(secret), account.must_change_password)
    now = services.clock()
    address = request.client.host if request.client else ""
    previous = request.cookies.get(COOKIE)

    def job(db: Connection) -> None:
        if previous:
            services.accounts.close_session(db, secret_hash(previous))
        services.accounts.open_session(db, actor.session, account.name, now, now + SESSION_SECONDS * _SECOND)
        services.audit.append(db, now, account.name, action, address, {})

    await services.write(job)
    set_session_cookie(response, request, secret)
    return actor


@router.get("", summary="Who is signed in", responses={401: {}})
async def who(actor: SignedIn, services: TheServices) -> SessionState:
    """Also answers while a password must be chosen."""
    return _state(actor, services)


@router.delete("", status_code=204, summary="Sign out", responses={401: {}, 403: {}})
async def sign_out(actor: SignedIn, response: Response, services: TheServices) -> None:
    """Deletes the session and closes its live feeds."""
    now = services.clock()

    def job(db: Connection) -> None:
        services.accounts.close_session(db, actor.session)
        services.audit.append(db, now, actor.name, "signed-out", "", {})

    await services.write(job)
    services.hub.close_sessions({actor.session})
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.post("/password", summary="Choose a new password", responses={401: {}, 403: {}, 429: {}})
async def change_password(
    body: PasswordChange,
    actor: SignedIn,
    request: Request,
    response: Response,
    services: TheServices,
    doorman: TheDoorman,
) -> SessionState:
    """Ends every session of the account and opens a new one here."""
    account = await _check(actor.name, body.password, request, services, doorman)
    changed = replace(account, password_hash=await doorman.hash(body.new_password), must_change_password=False)
    await services.write(lambda db: services.accounts.save(db, changed))
    services.hub.close_sessions({actor.session})
    return _state(await _open(changed, request, response, services, "password-changed"), services)
