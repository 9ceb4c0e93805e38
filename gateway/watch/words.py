"""What the watcher says, in the language of the person on call."""

from typing import Final

from gateway.watch.judge import Part, Verdict

_PARTS: Final = {
    Part.GATEWAY: ("网关不响应", "the gateway does not answer"),
    Part.BROKER: ("消息代理不接收数据", "the broker takes no data"),
    Part.PATH: ("数据未入库，告警规则未运行", "data are not committed and the rules do not run"),
    Part.NOTIFIER: ("通知程序停止，告警不会送达", "the notifier has stopped: alerts reach nobody"),
}
_BACK: Final = {
    Part.GATEWAY: ("网关恢复", "the gateway answers again"),
    Part.BROKER: ("消息代理恢复", "the broker takes data again"),
    Part.PATH: ("数据与告警规则恢复", "data are committed again and the rules run"),
    Part.NOTIFIER: ("通知程序恢复", "the notifier works again"),
}


def sentence(verdict: Verdict, language: str) -> str:
    """One line, without names of people or units."""
    place = 0 if language == "zh" else 1
    what = (_PARTS if verdict.down else _BACK)[verdict.part][place]
    seconds = round(verdict.seconds)
    if verdict.down:
        return (f"告警监护失效：{what}（已 {seconds} 秒）", f"Alerts are not watched: {what} (for {seconds} s)")[place]
    return (f"已恢复：{what}（中断 {seconds} 秒）", f"Recovered: {what} (after {seconds} s)")[place]
