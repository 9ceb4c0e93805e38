"""A board that makes no sound while a high alert calls, on the gateway's path and through a kill."""

from gateway.contract.quantity import MINUTE
from gateway.ports import MuteBoard
from tests.integration.care_bench import AMBULANCE
from tests.integration.path_bench import Bench
from tests.integration.test_alert_lifecycle import acknowledge, breathe, rows


def test_a_mute_board_is_an_alert_until_it_sounds_and_a_kill_forgets_nothing(live: Bench) -> None:
    mute = [MuteBoard("ward-3", None, live.now - 3 * MINUTE)]
    live.feed.mute_boards = lambda: mute  # type: ignore[method-assign]
    live.step()
    assert rows(live, "board-mute") == [], "nobody is called"
    breathe(live, 80, 8)
    [told] = rows(live, "board-mute")
    assert (told["state"], told["subject"], told["unit"], told["simulated"]) == (
        "firing", "board/ward-3", AMBULANCE.unit, rows(live)[0]["simulated"],
    )  # fmt: skip
    assert [sent for kind, _, sent in live.feed.sent if kind == "alert" and sent["alert"]["rule"] == "board-mute"]
    live.restart()
    breathe(live, 80, 2)
    assert [row["state"] for row in rows(live, "board-mute")] == ["resolved"], "it sounds since"


def test_whoever_takes_the_alert_has_heard_of_it(live: Bench) -> None:
    live.feed.mute_boards = lambda: [MuteBoard("ward-3", None, live.now - 3 * MINUTE)]  # type: ignore[method-assign]
    breathe(live, 80, 8)
    acknowledge(live, rows(live)[0]["id"])
    live.step()
    assert [row["state"] for row in rows(live, "board-mute")] == ["resolved"]
