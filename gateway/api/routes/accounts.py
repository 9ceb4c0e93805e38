"""Accounts: for administrators, of their own sites."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import Connection

from gateway.api.auth import AccountManager, TheServices
from gateway.api.ports import ALL_SITES, Account, Actor, Role
from gateway.api.problems import ProblemError, Reason, not_found
from gateway.api.routes.session import TheDoorman
from gateway.api.schemas import AccountChange, AccountState, NewAccount, Page
from gateway.api.services import Services
from gateway.contract.envelope import Instant

router = APIRouter(prefix="/accounts", tags=["accounts"])
Name = Annotated[str, Path(pattern=r"^[a-z0-9._-]{1,64}$", description="name of an account", examples=["dr.li"])]


def _within(sites: tuple[str, ...], actor: Actor) -> bool:
    """Whether nobody reaches further with ``sites`` than the administrator does."""
    return actor.scope is None or actor.scope.issuperset(sites)


def _state(account: Account) -> AccountState:
    return AccountState.model_validate(account)


@router.get("", summary="Accounts, by name")
async def accounts(actor: AccountManager, services: TheServices) -> Page[AccountState]:
    """Those whose sites are all among yours."""
    rows = await services.read(services.accounts.every)
    return Page(items=[_state(account) for account in rows if _within(account.sites, actor)], next=None)


@router.post("", status_code=201, summary="Add an account", responses={409: {}})
async def add(body: NewAccount, actor: AccountManager, services: TheServices, doorman: TheDoorman) -> AccountState:
    """Its owner must choose a password of their own at the first sign-in."""
    await _check_sites(tuple(body.sites), actor, services)
    now = services.clock()
    password_hash = await doorman.hash(body.password)
    account = Account(body.name, password_hash, body.role, tuple(body.sites), now, None, True)

    def job(db: Connection) -> bool:
        created = services.accounts.create(db, account)
        if created:
            details = {"role": account.role, "sites": list(account.sites)}
            services.audit.append(db, now, actor.name, "account-created", account.name, details)
        return created

    if not await services.write(job):
        raise ProblemError(409, Reason.ALREADY_EXISTS, "an account has this name")
    return _state(account)


@router.patch("/{name}", summary="Change an account", responses={404: {}, 409: {}})
async def change(
    name: Name, body: AccountChange, actor: AccountManager, services: TheServices, doorman: TheDoorman
) -> AccountState:
    """Its sessions end, and its screens with them, within five seconds."""
    if body.sites is not None:
        await _check_sites(tuple(body.sites), actor, services)
    password_hash = None if body.password is None else await doorman.hash(body.password)
    now = services.clock()

    def job(db: Connection) -> Account:
        before = services.accounts.find(db, name)
        if before is None or not _within(before.sites, actor):
            raise not_found("account")
        after = _changed(before, body, password_hash, now)
        if _opens(before) and not _opens(after) and not _another_admin(db, services, name):
            raise ProblemError(409, Reason.LAST_ADMIN, "nobody would be left who can manage the accounts of every site")
        services.accounts.save(db, after)
        services.audit.append(db, now, actor.name, "account-changed", name, _details(body))
        return after

    return _state(await services.write(job))


def _changed(before: Account, body: AccountChange, password_hash: str | None, now: Instant) -> Account:
    after = replace(
        before,
        role=before.role if body.role is None else body.role,
        sites=before.sites if body.sites is None else tuple(body.sites),
    )
    if body.disabled is not None:
        after = replace(after, disabled_at=(before.disabled_at or now) if body.disabled else None)
    if password_hash is not None:
        after = replace(after, password_hash=password_hash, must_change_password=True)
    return after


def _details(body: AccountChange) -> dict[str, object]:
    details: dict[str, object] = body.model_dump(mode="json", exclude_none=True, exclude={"password"})
    return details | ({"password": "replaced"} if body.password is not None else {})


def _opens(account: Account) -> bool:
    """Whether it can manage the accounts of every site."""
    return account.role is Role.ADMIN and account.disabled_at is None and ALL_SITES in account.sites


def _another_admin(db: Connection, services: Services, name: str) -> bool:
    return any(_opens(account) for account in services.accounts.every(db) if account.name != name)


async def _check_sites(sites: tuple[str, ...], actor: Actor, services: Services) -> None:
    if not _within(sites, actor):
        raise ProblemError(403, Reason.NOT_ALLOWED, "an account may not reach further than yours")
    known = {row["id"] for row in await services.read(lambda db: services.registry.sites(db, None))}
    unknown = set(sites) - known - {ALL_SITES}
    if unknown:
        raise ProblemError(422, Reason.UNKNOWN_SITE, f"no such site: {', '.join(sorted(unknown))}")
