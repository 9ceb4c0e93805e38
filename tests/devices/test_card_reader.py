"""LMC1: pseudonyms, and that no number gets out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading
from edge_agents.devices._privacy import check_character, is_identity_number
from edge_agents.devices.card_reader import IDENTIFIED, LAYOUT, Decoder, encode
from tests.devices import drawn
from tests.devices.played import play, said, step

READINGS = drawn.readings(LAYOUT)
KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
IDENTITY = "11010519491231002X"  # example of GB 11643-1999
NUMBERS = st.from_regex(r"\A[1-8][0-9]{16}\Z").map(lambda digits: digits + check_character(digits))


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def shown(number: str, source: str = "card") -> bytes:
    details = {"source": source, "session": 1, "number": number}
    return encode(Occurrence(observed_at=5, name=IDENTIFIED, details=details))


def subject(number: str, key: str = KEY) -> str:
    (reading,) = Decoder(key).feed(shown(number), 0)
    assert isinstance(reading, Occurrence)
    return str(reading.details["subject"])


@pytest.mark.parametrize("number", [IDENTITY, "440524188001010014"])
def test_the_standards_examples_have_right_check_characters(number: str) -> None:
    assert is_identity_number(number)
    assert not any(is_identity_number(number[:17] + other) for other in "0123456789X" if other != number[17])


def test_one_number_is_one_subject_at_a_site_and_another_at_another() -> None:
    assert subject(IDENTITY) == subject(IDENTITY.lower()) == subject(f" {IDENTITY} ")
    assert subject(IDENTITY) != subject(IDENTITY, OTHER_KEY)
    assert subject(IDENTITY) != subject("440524188001010014")
    assert re.fullmatch(r"p-[a-z2-7]{16}", subject(IDENTITY))


@given(number=NUMBERS, damage=st.integers(0, 10_000), keyed=st.booleans())
def test_no_number_gets_out_whatever_happens_to_its_line(number: str, damage: int, keyed: bool) -> None:
    line = bytearray(shown(number))
    for data in (bytes(line), _changed(line, damage), bytes(line) + bytes(line[: damage % len(line)]) + bytes(line)):
        for item in Decoder(KEY if keyed else "").feed(data, 0):
            told = repr(item.frame) + str(item) if isinstance(item, FrameError) else repr(item)
            assert not any(number[start : start + 6] in told for start in range(13))


def _changed(line: bytearray, damage: int) -> bytes:
    changed = bytearray(line)
    changed[damage % (len(line) - 2)] ^= 1 << damage % 7
    return bytes(changed)


def test_without_a_key_only_demonstration_cards_are_taken() -> None:
    (refused,) = Decoder().feed(shown(IDENTITY), 0)
    assert isinstance(refused, FrameError)
    assert refused.reason is FrameReason.ENCRYPTED
    demonstration = "99010119491231002" + check_character("99010119491231002")
    keyed, unkeyed = (decoder.feed(shown(demonstration), 0) for decoder in (Decoder(KEY), Decoder()))
    assert keyed == unkeyed
    assert isinstance(keyed[0], Occurrence)
    assert keyed[0].details["subject"].startswith("demo-")


def test_hospital_cards_and_health_codes_become_subjects_too() -> None:
    assert len({subject("A0012345"), subject("A0012346"), subject("9f" * 32)}) == 3


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        Decoder("secret")


def test_the_simulated_kiosk_ends_a_session_when_the_next_person_comes() -> None:
    demonstration = "99010119491231002" + check_character("99010119491231002")
    found = play("card_reader", step(1, card=demonstration), step(5, qr="p-abcdefghijklmnop"), step(9, end="done"))
    assert [(at, name, details["session"]) for at, name, details in said(found)] == [
        (1, "person-identified", 1),
        (1.2, "session-start", 1),
        (5, "session-end", 1),
        (5, "person-identified", 2),
        (5.2, "session-start", 2),
        (9, "session-end", 2),
    ]
