"""When an indication is confirmed: not before what it said is kept."""

from collections.abc import Callable


class Confirmation:
    """The confirmation of an indication, held back until it may go out; there is never more than one."""

    def __init__(self) -> None:
        self._send: Callable[[], None] | None = None

    def hold(self, send: Callable[[], None]) -> None:
        """An indication has come; ``send`` confirms it."""
        self._send = send

    def give(self) -> None:
        """Now it may."""
        send, self._send = self._send, None
        if send is not None:
            send()

    def forget(self) -> None:
        """The connection is over: the device keeps what it said."""
        self._send = None
