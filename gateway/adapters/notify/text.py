"""What a message says: unit, rule, priority, reason and a link. No name of a person, no value, no account. Pure."""

from collections.abc import Sequence
from typing import Final, Literal

from gateway.alerts.notice import Notice, Reason
from gateway.rules.catalogue import CATALOGUE, Priority

Language = Literal["zh", "en"]

_PRIORITY: Final[dict[Language, dict[Priority, str]]] = {
    "zh": {Priority.HIGH: "高", Priority.MEDIUM: "中", Priority.LOW: "低"},
    "en": {Priority.HIGH: "HIGH", Priority.MEDIUM: "MEDIUM", Priority.LOW: "LOW"},
}
_REASON: Final[dict[Language, dict[Reason, str]]] = {
    "zh": {
        Reason.RAISED: "新报警",
        Reason.ESCALATED: "无人确认，已升级",
        Reason.REMINDER: "仍无人确认",
        Reason.REOPENED: "再次出现",
        Reason.UNMUTED: "静音结束，仍存在",
    },
    "en": {
        Reason.RAISED: "new",
        Reason.ESCALATED: "nobody acknowledged, escalated",
        Reason.REMINDER: "still nobody acknowledged",
        Reason.REOPENED: "came again",
        Reason.UNMUTED: "no longer muted, still there",
    },
}
_GATEWAY: Final[dict[Language, str]] = {"zh": "网关", "en": "gateway"}
_DIGEST: Final[dict[Language, str]] = {"zh": "Lastmile：{n} 条报警", "en": "Lastmile: {n} alerts"}
_MORE: Final[dict[Language, str]] = {"zh": "另有 {n} 条，请看页面", "en": "and {n} more: see the page"}
DIGEST_BYTES: Final = 1900  # a WeCom robot takes 2048 bytes of text


def title(notice: Notice, language: Language) -> str:
    """One line."""
    return f"[{_PRIORITY[language][notice.priority]}] {_rule(notice.rule, language)}"


def line(notice: Notice, language: Language, link: str) -> str:
    """All of it in one line."""
    unit = notice.unit or _GATEWAY[language]
    where = f" {link.rstrip('/')}/alerts/{notice.alert}" if link else ""
    return f"{title(notice, language)} · {unit} · {_REASON[language][notice.reason]}{where}"


def digest(notices: Sequence[Notice], language: Language, link: str) -> str:
    """Many notices as one text that every robot takes; what has no room is counted."""
    lines = [_DIGEST[language].format(n=len(notices))]
    room = DIGEST_BYTES - len(lines[0].encode())
    for shown, notice in enumerate(notices):
        text = line(notice, language, link)
        room -= len(text.encode()) + 1
        if room < 0:
            lines.append(_MORE[language].format(n=len(notices) - shown))
            break
        lines.append(text)
    return "\n".join(lines)


def _rule(code: str, language: Language) -> str:
    row = CATALOGUE.get(code)
    return (row.zh if language == "zh" else row.en) or code if row else code
