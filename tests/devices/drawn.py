"""What devices of this project's own lines can say, drawn from their layouts."""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices._checked_line import REASONS, Field, Layout
from edge_agents.devices._details import Check, Count, Event, Flag, Moment, Number, Subject, Text, Word
from edge_agents.devices._privacy import has_identity_number
from gateway.contract.quantity import QUANTITIES

INSTANTS = st.integers(-(2**62), 2**62)


_DRAWN: dict[type, Callable[[Any], st.SearchStrategy[Any]]] = {
    Number: lambda check: st.integers(round(check.low * 10**check.digits), round(check.high * 10**check.digits)).map(
        lambda n: n / 10**check.digits
    ),
    Count: lambda check: st.integers(0, check.high),
    Word: lambda check: st.sampled_from(check.allowed),
    Text: lambda check: st.text(min_size=1, max_size=min(check.longest, 8)).filter(
        lambda text: not has_identity_number(text)
    ),
    Subject: lambda _: st.from_regex(r"\A[a-z][a-z0-9-]{2,12}\Z"),
    Flag: lambda _: st.booleans(),
    Moment: lambda _: INSTANTS,
}


def value(check: Check) -> st.SearchStrategy[Any]:
    """Anything the check allows."""
    return _DRAWN[type(check)](check)


def details(event: Event) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {key: value(check) for key, check in event.details.items()},
        optional={key: value(check) for key, check in event.more.items()},
    )


def events(table: Mapping[str, Event]) -> st.SearchStrategy[Occurrence]:
    return st.one_of(
        *(
            st.builds(
                Occurrence, observed_at=INSTANTS, name=st.just(event.name), details=details(event), test=st.booleans()
            )
            for event in table.values()
        )
    )


@st.composite
def measurements(draw: st.DrawFn, fields: tuple[Field, ...], conditions: tuple[str, ...]) -> Numeric:
    values: dict[str, float | None] = {}
    invalid: dict[str, str] = {}
    for field in draw(st.lists(st.sampled_from(fields), unique=True, min_size=1)):
        row, step = QUANTITIES[field.quantity], 10**field.digits
        lowest, highest = -(-row.low * step // 1), row.high * step // 1
        counts = draw(st.none() | st.integers(int(lowest), int(highest)))
        values[field.quantity] = None if counts is None else counts / step
        if counts is None:
            invalid[field.quantity] = draw(st.sampled_from(REASONS))
    stated = draw(st.none() | st.sets(st.sampled_from(conditions))) if conditions else None
    return Numeric(
        observed_at=draw(INSTANTS), values=values, invalid=invalid, test=draw(st.booleans()),
        conditions=None if stated is None else frozenset(stated),
    )  # fmt: skip


def readings(layout: Layout) -> st.SearchStrategy[Reading]:
    """All a sensor can say."""
    lines: list[st.SearchStrategy[Reading]] = [
        measurements(fields, layout.conditions) for fields in layout.measurements.values()
    ]
    return st.one_of(*lines, *([events(layout.events)] if layout.events else []))


def good(items: list[Reading | FrameError]) -> list[Reading]:
    """The readings; nothing was refused."""
    assert not [item for item in items if isinstance(item, FrameError)]
    return [item for item in items if not isinstance(item, FrameError)]
