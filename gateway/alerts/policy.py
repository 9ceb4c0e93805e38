"""What the catalogue's rows mean for the life of an alert: which are instants, which lethal, and what mutes what."""

from collections.abc import Iterable
from typing import Final

from gateway.alerts.alert import Alert
from gateway.fleet import GATEWAY_DEVICE
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.row import Kind, Ladder, Row

# These are about the electrodes of one device: what another device measures of the same person still counts.
FAULTS_OF_A_DEVICE: Final = frozenset({"lead-off", "lead-off-long", "sensor-off", "sensor-off-long", "signal-poor"})


def is_instant(row: Row) -> bool:
    """Whether it happens and is over at once, and no finding will ever clear it.

    Every other latching row has a condition that lasts: it latches only when that ends unseen.
    """
    return row.latching and not row.lethal and (row.condition is None or row.condition.each)


def is_lethal(code: str) -> bool:
    """Asystole, VF, VT: always high and latching (IEC 60601-1-8 as monitors apply it); nobody can silence them here."""
    row = CATALOGUE.get(code)
    return row is not None and row.lethal


def is_for_ops(code: str) -> bool:
    """Whether those who look after devices and program are told, and not those who look after the patient."""
    row = CATALOGUE.get(code)
    return row is not None and row.ladder is Ladder.TECHNICAL


def inhibitor_of(alert: Alert, others: Iterable[Alert]) -> Alert | None:
    """The open alert that mutes this one; the oldest if there are several."""
    found = [other for other in others if _inhibits(other, alert)]
    return min(found, key=lambda other: (other.raised_at, other.id)) if found else None


def _inhibits(other: Alert, alert: Alert) -> bool:
    if other.unit != alert.unit or other.id == alert.id or other.simulated != alert.simulated:
        return False
    return _is_the_devices_own(other, alert) or _mutes(other, alert)


def _is_the_devices_own(other: Alert, alert: Alert) -> bool:
    """A device alarms by itself: it is primary, and ours of the same rule tells the same people the same thing."""
    own = other.kind is Kind.PHYSIOLOGICAL and other.subject.startswith("device/")
    return own and other.rule == alert.rule and not alert.subject.startswith("device/")


def _mutes(other: Alert, alert: Alert) -> bool:
    """As the row says. A lethal alert that stood before the electrodes came off stands on."""
    row = CATALOGUE.get(alert.rule)
    if row is None or other.rule not in _inhibitors(row):
        return False
    if other.rule in FAULTS_OF_A_DEVICE and alert.device not in (other.device, GATEWAY_DEVICE):
        return False
    return not row.lethal or other.raised_at <= alert.raised_at


def _inhibitors(row: Row) -> tuple[str, ...]:
    """A signal that is too poor says of the heart what electrodes in the air say."""
    return (*row.inhibited_by, "signal-poor") if "lead-off" in row.inhibited_by else row.inhibited_by
