"""What leaves the house says no more than it has to."""

import pytest

from gateway.adapters.notify.text import DIGEST_BYTES, Language, digest, line, title
from gateway.alerts.notice import Reason
from gateway.rules.catalogue import CATALOGUE, Priority
from tests.unit.notify.notices import notice

LANGUAGES: tuple[Language, ...] = ("zh", "en")
LINK = "https://lastmile.hospital.example/"


def test_a_line_has_unit_rule_priority_reason_and_link() -> None:
    text = line(notice(), "en", LINK)
    assert text.startswith("[HIGH] ")
    for part in ("bed-007", "new", "https://lastmile.hospital.example/alerts/alert-1"):
        assert part in text
    assert "nurse.wang" not in text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_priority_and_reason_has_words(language: Language) -> None:
    assert len({title(notice(priority=priority), language) for priority in Priority}) == len(Priority)
    assert len({line(notice(reason=reason), language, "") for reason in Reason}) == len(Reason)


def test_the_gateway_itself_has_a_name() -> None:
    assert "网关" in line(notice(unit=""), "zh", "")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("count", [2, 10, 60, 100])
def test_a_digest_fits_every_robot_and_counts_what_has_no_room(count: int, language: Language) -> None:
    text = digest([notice(number) for number in range(count)], language, LINK)
    assert len(text.encode()) <= DIGEST_BYTES + 60 <= 2048
    head, *lines = text.split("\n")
    assert str(count) in head
    shown = sum(1 for one in lines if "bed-007" in one)
    if shown < count:
        assert str(count - shown) in lines[-1]
    else:
        assert len(lines) == count


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_rule_can_be_told(code: str) -> None:
    words = {"zh": CATALOGUE[code].zh, "en": CATALOGUE[code].en}
    for language in LANGUAGES:
        assert title(notice(rule=code), language) == f"[{'高' if language == 'zh' else 'HIGH'}] {words[language]}"
        assert words[language]
