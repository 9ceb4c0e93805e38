"""Missing data becomes a finding, per unit and per channel."""

from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.silence import FOREVER, LINK_SILENCE, START_GRACE, Silence, SilenceWatch, allowed_silence
from tests.unit.gateway.builders import NOW


def watch() -> SilenceWatch:
    started = SilenceWatch(NOW)
    started.hear_unit("amb-001", NOW)
    for second in (-2, -1, 0):
        started.hear("amb-001", "monitor", "spo2", NOW + second * SECOND)
    return started


def silences(silence: SilenceWatch, seconds: range) -> list[Silence]:
    """What is found missing while the unit goes on saying hello."""
    found = []
    for second in seconds:
        silence.hear_unit("amb-001", NOW + second * SECOND)
        found += silence.check(NOW + second * SECOND)
    return found


def test_a_spot_measurement_is_not_missing_afterwards() -> None:
    silence = SilenceWatch(NOW)
    for at in (0, 1, 60, 61, 120):  # never three in a row
        silence.hear("amb-001", "kiosk", "spo2", NOW + at * SECOND)
        silence.hear("amb-001", "kiosk", "spo2", NOW + at * SECOND)
        assert silences(silence, range(at, at + 50, 5)) == []


def test_from_the_third_word_in_a_row_a_channel_is_expected_to_go_on() -> None:
    silence = SilenceWatch(NOW)
    for at in (0, 9, 18):
        silence.hear("amb-001", "monitor", "spo2", NOW + at * SECOND)
    assert silences(silence, range(18, 40)) == [Silence("amb-001", "monitor", "spo2", True, NOW + 18 * SECOND)]


def test_words_in_service_mode_do_not_join_spot_measurements() -> None:
    silence = SilenceWatch(NOW)
    for at in (0, 20, 40):
        silence.hear("amb-001", "kiosk", "spo2", NOW + at * SECOND)
        for second in range(at, at + 20):
            silence.check(NOW + second * SECOND, resting={("amb-001", "kiosk")})
    assert silences(silence, range(60, 90)) == []


def test_after_a_restart_what_spoke_to_the_end_is_watched_and_an_old_spot_measurement_is_not() -> None:
    silence = SilenceWatch(NOW)
    silence.restore("amb-001", None, None, NOW - 5 * SECOND)
    silence.restore("amb-001", "kiosk", "spo2", NOW - 5 * MINUTE)
    silence.restore("amb-001", "monitor", "spo2", NOW - 4 * SECOND)
    assert [change.device for change in silences(silence, range(40))] == ["monitor"]


def test_a_channel_is_silent_after_three_intervals_but_at_least_ten_seconds() -> None:
    assert allowed_silence("spo2") == 10 * SECOND
    assert allowed_silence("bp-systolic") == 15 * MINUTE
    assert allowed_silence("glucose") == 0, "a spot measurement is never missing"


def test_a_sensor_that_stops_while_the_link_lives() -> None:
    silence = watch()
    for second in range(1, 10):
        silence.hear_unit("amb-001", NOW + second * SECOND)
        assert silence.check(NOW + second * SECOND) == []
    silence.hear_unit("amb-001", NOW + 10 * SECOND)
    found = silence.check(NOW + 10 * SECOND)
    assert found == [Silence("amb-001", "monitor", "spo2", True, NOW)]
    assert silence.check(NOW + 10 * SECOND) == [], "said once"
    silence.hear("amb-001", "monitor", "spo2", NOW + 11 * SECOND)
    silence.hear_unit("amb-001", NOW + 11 * SECOND)
    assert [change.silent for change in silence.check(NOW + 11 * SECOND)] == [False]


def test_a_dead_link_is_one_finding_not_one_for_every_channel() -> None:
    silence = watch()
    found = [change for second in range(1, 120) for change in silence.check(NOW + second * SECOND)]
    assert found == [Silence("amb-001", None, None, True, NOW)]
    silence.hear_unit("amb-001", NOW + 120 * SECOND)
    silence.hear("amb-001", "monitor", "spo2", NOW + 120 * SECOND)
    assert [(change.device, change.silent) for change in silence.check(NOW + 120 * SECOND)] == [(None, False)]


def test_a_restart_gives_everybody_a_moment_to_come_back() -> None:
    silence = SilenceWatch(NOW)
    silence.restore("amb-001", None, None, NOW - 10 * MINUTE)
    assert silence.check(NOW) == []
    assert silence.check(NOW + START_GRACE - 1) == []
    assert [change.silent for change in silence.check(NOW + START_GRACE)] == [True]


def test_a_silence_raised_before_a_restart_is_not_raised_again_and_ends_with_the_first_word() -> None:
    silence = SilenceWatch(NOW)
    silence.restore("amb-001", None, None, NOW - 10 * MINUTE)
    silence.mark("amb-001", None, None)
    assert silence.check(NOW + LINK_SILENCE) == []
    silence.hear_unit("amb-001", NOW + LINK_SILENCE)
    assert [change.silent for change in silence.check(NOW + LINK_SILENCE)] == [False]


def test_a_link_that_comes_back_gives_its_channels_a_moment_to_speak() -> None:
    silence = watch()
    for second in range(1, 120):
        silence.check(NOW + second * SECOND)
    back = NOW + 120 * SECOND
    found = []
    for second in range(11):
        silence.hear_unit("amb-001", back + second * SECOND)
        found += [(second, change) for change in silence.check(back + second * SECOND)]
    assert [(second, change.channel, change.silent) for second, change in found] == [
        (0, None, False),
        (10, "spo2", True),
    ]


def unit_silences(allowed: list[int], *, mark: bool = False) -> list[tuple[int, bool]]:
    """What is found of a unit that spoke once, minute by minute, with what it was allowed in each."""
    silence = SilenceWatch(NOW)
    silence.hear_unit("u", NOW)
    if mark:
        silence.mark("u", None, None)
    found = []
    for minute, limit in enumerate(allowed):
        changes = silence.check(NOW + minute * MINUTE, allowed={"u": limit})
        found += [(minute, change.silent) for change in changes]
    return found


def test_each_kind_of_place_is_allowed_its_own_silence() -> None:
    assert unit_silences([MINUTE] * 5) == [(1, True)]
    assert unit_silences([10 * MINUTE] * 20) == [(10, True)]


def test_a_place_that_is_closed_may_say_nothing_and_its_silence_counts_from_the_opening() -> None:
    assert unit_silences([FOREVER] * 60 + [10 * MINUTE] * 20) == [(69, True)]  # last closed in minute 59
    assert unit_silences([MINUTE] * 3 + [FOREVER] * 3 + [MINUTE] * 3) == [(1, True), (3, False), (6, True)]


def test_a_place_that_is_closed_misses_no_channel_either() -> None:
    silence = watch()
    for second in range(1, 60):
        assert silence.check(NOW + second * SECOND, allowed={"amb-001": FOREVER}) == []


def test_the_gateways_own_absence_is_not_held_against_a_unit_whatever_it_is_allowed() -> None:
    silence = SilenceWatch(NOW)
    silence.restore("u", None, None, NOW - 60 * MINUTE)
    assert silence.check(NOW + START_GRACE - SECOND, allowed={"u": 10 * MINUTE}) == []
    [found] = silence.check(NOW + START_GRACE, allowed={"u": 10 * MINUTE})
    assert found.silent
    assert unit_silences([10 * MINUTE] * 3, mark=True) == [], "what has been raised lasts until it speaks"
