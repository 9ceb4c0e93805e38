"""Who may connect to the broker, and what for: NATS asks here on every connect (also of MQTT clients).

A unit may connect under its own id only, publish on its own uplink topics and subscribe to its own ack and cmd.
The answer is a JWT signed with the account's key (NATS ADR-26, auth callout).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import nkeys
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from gateway.contract.envelope import Instant
from gateway.contract.topic import DOWNLINK, UPLINK, UnitAddress

log = structlog.get_logger("auth")

REQUEST_SUBJECT: Final = "$SYS.REQ.USER.AUTH"
LOOK_INTERVAL: Final = 200_000  # us between two looks into the registry on behalf of somebody refused
ACCOUNT: Final = "LASTMILE"


class Credential(msgspec.Struct, frozen=True):
    """A unit that may connect, and the SHA-256 of its token."""

    address: UnitAddress
    token_hash: str


class AuthCallout:
    """Answers the broker from the registry in memory. ``denied``: called for every refusal."""

    def __init__(
        self, account_seed: str, credentials: dict[str, Credential], clock: Callable[[], Instant],
        denied: Callable[[], None],
    ) -> None:  # fmt: skip
        self._key = nkeys.from_seed(account_seed.encode())
        self.credentials = credentials
        self._clock = clock
        self._denied = denied
        self._looked_at: Instant = 0
        self.refresh: Callable[[], Awaitable[None]] = _nothing_new  # reads the registry into ``credentials`` now

    async def serve(self, client: Client) -> None:
        """Subscribes; answers until the client closes."""
        await client.subscribe(REQUEST_SUBJECT, cb=self._answer)

    async def _answer(self, message: Msg) -> None:
        request = _claims(message.data)["nats"]
        options, info = request["connect_opts"], request["client_info"]
        unit = str(options.get("user", ""))
        claim = unit, str(options.get("pass", "")), str(info.get("mqtt_id", ""))
        if (reason := self._judge(*claim)) is not None:
            await self._look_again()  # it may have been registered, or given a new token, this very moment
            reason = self._judge(*claim)
        answer: dict[str, Any] = {"type": "authorization_response", "version": 2}
        if reason is None:
            answer["jwt"] = self._sign(self._user_claims(request["user_nkey"], self.credentials[unit].address))
        else:
            answer["error"] = reason
            self._denied()
            log.warning("refused a connection", unit=unit, reason=reason, host=info.get("host"))
        claims = {"sub": request["user_nkey"], "aud": request["server_id"]["id"], "nats": answer}
        await message.respond(self._sign(claims).encode())

    async def _look_again(self) -> None:
        now = self._clock()
        if abs(now - self._looked_at) >= LOOK_INTERVAL:  # strangers must not keep the database busy
            self._looked_at = now
            await self.refresh()

    def _judge(self, unit: str, token: str, client_id: str) -> str | None:
        """Why not; None = welcome. Unknown units cost the same time as wrong tokens."""
        credential = self.credentials.get(unit)
        known = credential.token_hash if credential else "0" * 64
        right = hmac.compare_digest(hash_token(token), known)
        if credential is None or not right:
            return "unknown unit or wrong token"
        return None if client_id == unit else "client id is not the unit's own"

    def _user_claims(self, user: str, address: UnitAddress) -> dict[str, Any]:
        publish = [address.subject(channel) for channel in UPLINK]
        subscribe = [address.subject(channel) for channel in DOWNLINK]
        permissions = {
            "pub": {"allow": publish}, "sub": {"allow": subscribe}, "subs": -1, "data": -1, "payload": -1,
            "allowed_connection_types": ["MQTT"], "type": "user", "version": 2,
        }  # fmt: skip
        return {"sub": user, "aud": ACCOUNT, "name": address.unit, "nats": permissions}

    def _sign(self, claims: dict[str, Any]) -> str:
        issued = claims | {"iss": self._key.public_key.decode(), "iat": self._clock() // 1_000_000}
        fingerprint = hashlib.sha256(json.dumps(issued).encode()).digest()
        issued["jti"] = base64.b32encode(fingerprint).decode().rstrip("=")
        body = b".".join((_base64(b'{"typ":"JWT","alg":"ed25519-nkey"}'), _base64(json.dumps(issued).encode())))
        return b".".join((body, _base64(self._key.sign(body)))).decode()


async def kick(system: Client, unit: str) -> int:
    """Cuts the live sessions of a unit; how many. ``system``: a client of the broker's system account.

    Raises:
        nats.errors.Error, TimeoutError: the broker did not answer; some sessions may still be open.
    """
    request = json.dumps({"mqtt_client": unit, "auth": True}).encode()
    reply = await system.request("$SYS.REQ.SERVER.PING.CONNZ", request, timeout=2)
    answer = json.loads(reply.data)
    server = answer["server"]["id"]
    connections = answer["data"].get("connections") or []
    for connection in connections:
        await system.request(
            f"$SYS.REQ.SERVER.{server}.KICK", json.dumps({"cid": connection["cid"]}).encode(), timeout=2
        )
    return len(connections)


async def _nothing_new() -> None:
    """Where nobody keeps a registry."""


def hash_token(token: str) -> str:
    """What the registry keeps of a token: tokens are 256 random bits, so one SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _claims(jwt: bytes) -> dict[str, Any]:
    body = jwt.split(b".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    return claims


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
