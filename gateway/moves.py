"""What people do, waiting for its place in the path: it commits with the batch, and they are told after the commit."""

from asyncio import Future
from typing import Generic, TypeVar

from gateway.alerts.alert import Alert
from gateway.alerts.silence import Silence
from gateway.care.window import ServiceWindow
from gateway.commands.command import RemoteCommand
from gateway.contract.envelope import Instant
from gateway.contract.observation import Event

T = TypeVar("T")


class PersonsMove(Generic[T]):
    """One act; its future is done after the commit, with the outcome or the refusal."""

    def __init__(self, future: "Future[T]") -> None:
        self.future = future
        self.outcome: T | None = None
        self.refusal: Exception | None = None

    def settle(self) -> None:
        """Tells the person who waits."""
        if self.future.done():
            return
        if self.refusal is not None:
            self.future.set_exception(self.refusal)
        elif self.outcome is not None:
            self.future.set_result(self.outcome)


class Acknowledgement(PersonsMove[Alert]):
    """Somebody takes an alert."""

    def __init__(self, alert_id: str, actor: str, future: "Future[Alert]") -> None:
        super().__init__(future)
        self.alert_id = alert_id
        self.actor = actor


class SilenceStart(PersonsMove[Silence]):
    """Somebody silences alerts for a while."""

    def __init__(self, wanted: Silence, future: "Future[Silence]") -> None:
        super().__init__(future)
        self.wanted = wanted


class SilenceEnd(PersonsMove[Silence]):
    """Somebody ends that before its time."""

    def __init__(self, id: str, actor: str, future: "Future[Silence]") -> None:
        super().__init__(future)
        self.id = id
        self.actor = actor


class CommandRequest(PersonsMove[RemoteCommand]):
    """Somebody wants a unit to do something."""

    def __init__(self, wanted: RemoteCommand, future: "Future[RemoteCommand]") -> None:
        super().__init__(future)
        self.wanted = wanted


class TurnEntry(PersonsMove[Event]):
    """Somebody has turned whoever lies there, and says when."""

    def __init__(self, unit: str, at: Instant, actor: str, future: "Future[Event]") -> None:
        super().__init__(future)
        self.unit = unit
        self.at = at
        self.actor = actor


class Confirmation(PersonsMove[RemoteCommand]):
    """Somebody takes on what was proposed for a mattress; ``wanted`` is the proposal as a command of theirs."""

    def __init__(self, proposed_at: Instant, wanted: RemoteCommand, future: "Future[RemoteCommand]") -> None:
        super().__init__(future)
        self.proposed_at = proposed_at
        self.wanted = wanted


class WindowStart(PersonsMove[ServiceWindow]):
    """Somebody puts a device into service mode, or a unit into training."""

    def __init__(self, wanted: ServiceWindow, future: "Future[ServiceWindow]") -> None:
        super().__init__(future)
        self.wanted = wanted


class WindowEnd(PersonsMove[ServiceWindow]):
    """Somebody ends that before its time; device "" = the unit's training."""

    def __init__(self, unit: str, device: str, actor: str, future: "Future[ServiceWindow]") -> None:
        super().__init__(future)
        self.unit = unit
        self.device = device
        self.actor = actor
