"""Channels through apprise: WeCom, DingTalk, Feishu, e-mail, SMS gateways and what else has a plugin.

Two habits of apprise are put right here:

- It calls HTTP 200 success. The robots of WeCom, DingTalk and Feishu say 200 to a wrong token and to a full quota too
  and put their verdict into the body; a message nobody got would count as sent. So the answer itself is looked at.
- It logs why something failed, with tokens in some lines, and returns only False. Its lines end here: the last warning
  of the sending thread becomes the reason, without secret and address.
"""

import logging
import threading
from typing import Any, Final
from urllib.parse import quote

import apprise
import msgspec
import requests

from gateway.adapters.notify.sending import Message, NotSent, provider_id
from gateway.adapters.notify.settings import PLACE
from gateway.contract.envelope import Instant

SAMPLE: Final = "13800000000"  # an address that fits a phone number's, an id's and a mail box's pattern
DROPPED: Final = "***"

# Keys under which a robot's answer says 0 when it took the message (open.dingtalk.com, developer.work.weixin.qq.com,
# open.feishu.cn: custom robots).
VERDICTS: Final = {"wecombot": "errcode", "dingtalk": "errcode", "feishu": "code", "lark": "code"}


class _Witness(threading.local):
    """What this thread heard last: apprise keeps neither to itself nor for us."""

    answer: requests.Response | None = None
    warning: str = ""


_witness = _Witness()
_send: Final = requests.Session.send


def _send_witnessed(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
    _witness.answer = _send(session, request, **options)
    return _witness.answer


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _witness.warning = record.getMessage()


def _install() -> None:
    """Once a process: apprise makes its requests and its log lines where nothing can be handed in."""
    requests.Session.send = _send_witnessed  # type: ignore[method-assign, assignment]  # the one place all plugins' requests pass
    logger = logging.getLogger("apprise")
    logger.propagate = False  # its lines quote tokens
    logger.setLevel(logging.WARNING)
    logger.handlers = [_Ear()]


_install()


def usable(url: str) -> bool:
    """Whether apprise knows the scheme and finds what it needs in the URL."""
    return apprise.Apprise.instantiate(url.replace(PLACE, SAMPLE), suppress_exceptions=True) is not None


class AppriseChannel:
    """One apprise URL. The plugin is made anew for each message: it keeps a pace of its own, and ours is the rule."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._verdict = VERDICTS.get(url.partition(":")[0].lower())

    def send(self, message: Message, _now: Instant) -> str | None:
        """The id the provider gave it, if it said one.

        Raises:
            NotSent: apprise says so, or the provider's own answer does.
        """
        _witness.answer, _witness.warning = None, ""
        plugin = apprise.Apprise.instantiate(
            self._url.replace(PLACE, quote(message.address, safe="")), suppress_exceptions=True
        )
        if plugin is None:
            raise NotSent("apprise cannot use the address")
        if not plugin.notify(body=message.text, title=message.title):
            raise NotSent(self._clean(_witness.warning, message.address) or "apprise gave no reason")
        content = _answered()
        if self._verdict is not None:
            _look(content, self._verdict)
        return provider_id(content)

    def _clean(self, text: str, address: str) -> str:
        """Without any part of the URL that could be a secret, and without whom it was for."""
        parts = self._url.partition("://")[2].replace("?", "/").replace("&", "/").replace("@", "/").replace(":", "/")
        for secret in sorted({*parts.split("/"), address}, key=len, reverse=True):
            if len(secret) > 2:
                text = text.replace(secret, DROPPED)
        return text[:200]


def _answered() -> bytes:
    """What the service said; b"" for mail and others without HTTP."""
    return b"" if _witness.answer is None else _witness.answer.content


def _look(content: bytes, key: str) -> None:
    """Raises NotSent unless the robot's answer says that it took the message."""
    try:
        verdict = msgspec.json.decode(content, type=dict[str, object]).get(key)
    except (msgspec.DecodeError, UnicodeDecodeError):
        verdict = None
    if verdict != 0:
        raise NotSent("the robot's answer has no verdict" if verdict is None else f"the robot refused it: {verdict}")
