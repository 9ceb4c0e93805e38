"""Signed webhooks, and the voice-call hook: HTTP POST as Standard Webhooks 1.0 says (standardwebhooks.com).

The id is the delivery's own and stays the same over retries and over ``kill -9``: a receiver that remembers ids does
each once.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import requests

from gateway.adapters.notify.sending import Message, NotSent, provider_id
from gateway.adapters.notify.signing import SigningKey, sign
from gateway.contract.envelope import Instant

TIMEOUT: Final = (4.0, 10.0)  # s to connect, s between bytes of the answer
KEPT: Final = 4096  # bytes of an answer that are read


class WebhookChannel:
    """Posts a message as JSON: to another program, or with a phone number to a service that makes the call."""

    def __init__(self, url: str, key: SigningKey) -> None:
        self._url = url
        self._key = key

    def send(self, message: Message, now: Instant) -> str | None:
        """The id the receiver gave it, if it said one.

        Raises:
            NotSent: no answer, or one that is not 2xx.
        """
        body, timestamp = msgspec.json.encode(payload(message, now)), now // 1_000_000
        headers = {
            "content-type": "application/json",
            "user-agent": "lastmile",
            "webhook-id": message.key,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, message.key, timestamp, body),
        }
        try:
            with requests.post(
                self._url, body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as answer:
                if not 200 <= answer.status_code < 300:
                    raise NotSent(f"HTTP {answer.status_code}")
                with suppress(requests.RequestException):  # it has been taken; the id is a courtesy
                    return provider_id(next(answer.iter_content(KEPT), b""))
                return None
        except (requests.RequestException, OSError) as error:
            raise NotSent(type(error).__name__) from error


def payload(message: Message, now: Instant) -> dict[str, Any]:
    """What is posted: no names of people. The phone number is there only where a call is to be made.

    A message without a notice is the watcher's: about the program itself, not about an alert.
    """
    if not message.notices:
        return {"type": "watch", "timestamp": _iso(now), "data": {"text": message.text}}
    notice = message.notices[0]
    data = {
        "notification": notice.id,
        "alert": notice.alert,
        "unit": notice.unit,
        "site": notice.site,
        "rule": notice.rule,
        "priority": notice.priority,
        "reason": notice.reason,
        "step": notice.step,
        "role": notice.role,
        "at": notice.at,
        "text": message.text,
    }
    if message.address:
        data["address"] = message.address
    return {"type": "alert.notice", "timestamp": _iso(notice.at), "data": data}


def _iso(at: Instant) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat()
