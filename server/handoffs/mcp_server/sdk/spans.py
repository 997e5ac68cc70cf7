"""Spans of OpenTelemetry inside of a call: the time that it waits for a person, and the question until its decision.

The SDK makes the span of each call, and continues the trace that its client names in `_meta` (SEP-414). These are its
children. Nobody hears of them unless the process has a provider: see `handoffs.telemetry`. They have no content.
"""

from datetime import datetime

from opentelemetry.trace import Span, get_current_span, get_tracer

from handoffs.core.model import Handoff

_tracer = get_tracer("handoffs")


def note_call(tool_use: str) -> None:
    """Note the host's id of the tool call on its span, where the host gave one."""
    if tool_use:
        get_current_span().set_attribute("gen_ai.tool.call.id", tool_use)


class WaitSpan:
    """The span of a call that waits for a person."""

    def __init__(self, handoff: Handoff, *, dialog: bool) -> None:
        """Begin it; with a `dialog`, the host asks, too."""
        attributes = {"handoffs.id": handoff.id, "handoffs.dialog": dialog}
        self._span: Span = _tracer.start_span("handoffs.wait", attributes=attributes)
        self._state = "cut off"

    def came(self, handoff: Handoff) -> None:
        """Note how the question stands at the end of the wait."""
        self._state = handoff.state.value

    def end(self) -> None:
        """End it; without an outcome, the wait was cut off."""
        self._span.set_attribute("handoffs.state", self._state)
        self._span.end()


def note_decision(handoff: Handoff) -> None:
    """Note the time from asking to the end of a question, which is handed over now, as a span of this call's trace."""
    if handoff.end is None:
        return
    attributes = {
        "handoffs.id": handoff.id,
        "handoffs.outcome": handoff.state.value,
        "handoffs.channel": handoff.end.channel,
    }
    span = _tracer.start_span("handoffs.decision", attributes=attributes, start_time=_nanoseconds(handoff.created_at))
    span.end(_nanoseconds(handoff.end.at))


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1_000
