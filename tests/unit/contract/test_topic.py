"""Topics and subjects, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.topic import (
    DOWNLINK,
    ID_PATTERN,
    UPLINK,
    Channel,
    TopicError,
    UnitAddress,
    UnitKind,
    is_id,
    parse_topic,
)

ids = st.from_regex(ID_PATTERN, fullmatch=True)
addresses = st.builds(UnitAddress, ids, st.sampled_from(UnitKind), ids)
channels = st.sampled_from(Channel)


@given(addresses, channels)
def test_topic_and_subject_name_the_same_unit(address: UnitAddress, channel: Channel) -> None:
    assert parse_topic(address.topic(channel)) == (address, channel)
    assert parse_topic(address.subject(channel), ".") == (address, channel)


def test_every_channel_has_one_direction() -> None:
    assert set(UPLINK) | set(DOWNLINK) == set(Channel)
    assert not set(UPLINK) & set(DOWNLINK)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lm/v1/site-a/ambulance/amb-001",  # no channel
        "lm/v1/site-a/ambulance/amb-001/obs/more",
        "lm/v2/site-a/ambulance/amb-001/obs",
        "xx/v1/site-a/ambulance/amb-001/obs",
        "lm/v1/Site-A/ambulance/amb-001/obs",  # capitals
        "lm/v1/site-a/rocket/amb-001/obs",
        "lm/v1/site-a/ambulance/amb 001/obs",
        "lm/v1/site-a/ambulance//obs",
        "lm/v1/site-a/ambulance/+/obs",
        "lm/v1/site-a/ambulance/amb-001/#",
        "lm/v1/site-a/ambulance/amb-001/obs\n",
        "lm/v1/site-a/ambulance/amb-001\n/obs",
        "lm/v1/site-a/ambulance/" + "a" * 49 + "/obs",
        "lm/v1/站点/ambulance/amb-001/obs",
    ],
)
def test_what_is_no_topic(text: str) -> None:
    with pytest.raises(TopicError):
        parse_topic(text)


@given(st.text(max_size=100))
def test_any_text_is_a_topic_or_a_topic_error(text: str) -> None:
    try:
        address, channel = parse_topic(text)
    except TopicError:
        return
    assert address.topic(channel) == text


@given(st.text(max_size=60))
def test_an_id_has_only_id_characters(text: str) -> None:
    assert is_id(text) == (0 < len(text) <= 48 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in text))
