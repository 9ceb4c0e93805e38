"""What the gateway may ask of this unit. Executing a command twice is the same as once."""

from collections import OrderedDict
from typing import Final

import msgspec

from edge_agents.link_gauge import LinkGauge
from gateway.contract.envelope import Epoch, Instant, LinkMode
from gateway.contract.observation import Command, Reply

_REMEMBERED: Final = 64
_MODES: Final = {"auto": None, "full": LinkMode.FULL, "weak": LinkMode.WEAK}


class Commands:
    """Executes commands and remembers their replies, because commands are repeated until the reply arrives."""

    def __init__(self, epoch: Epoch, gauge: LinkGauge) -> None:
        self._epoch = epoch
        self._gauge = gauge
        self._replies: OrderedDict[str, Reply] = OrderedDict()

    def execute(self, command: Command, now: Instant) -> Reply:
        """The reply to send; ``now`` is the gateway's time as far as it is known, us."""
        if (known := self._replies.get(command.id)) is not None:
            return known
        if now > command.expires_at:
            return self._remember(self._reply(command, "expired"))
        if command.name != "link-mode":
            return self._remember(self._reply(command, "unknown-command"))
        mode = command.arguments.get("mode")
        if mode not in _MODES:
            return self._remember(self._reply(command, "bad-argument"))
        self._gauge.override = _MODES[mode]
        return self._remember(msgspec.structs.replace(self._reply(command), result={"mode": mode}))

    def _reply(self, command: Command, refusal: str = "") -> Reply:
        return Reply(id=command.id, epoch=self._epoch, accepted=not refusal, reason=refusal)

    def _remember(self, reply: Reply) -> Reply:
        self._replies[reply.id] = reply
        if len(self._replies) > _REMEMBERED:
            self._replies.popitem(last=False)
        return reply
