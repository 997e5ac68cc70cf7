"""Telemetry by OpenTelemetry: traces and metrics to a collector, over OTLP and HTTP. Imported where a setting says so.

The standard variables say where to and how often: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_METRIC_EXPORT_INTERVAL`, ….

What leaves the machine has no content: no message, no values, no notes, no names of people, agents, folders or secrets.
Spans of the MCP SDK go through the same: what it notes of an exception, and names that a client made up, are left out.
A collector that is away loses what it was sent; it keeps no question waiting.
"""

import logging
import os
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, cast

import anyio
from anyio import to_thread
from mcp_types import methods
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status

import handoffs
from handoffs.core.events import Event, Opened
from handoffs.core.model import Handoff, State
from handoffs.core.quota import Quota
from handoffs.store import OpenStore

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.util.types import AttributeValue

SCOPE = "handoffs"
"""The name of our meter and our tracer."""

FLUSH_SECONDS = 3.0
"""How long a process that ends waits until what it has is sent."""

BUCKETS = (5, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800)
"""The bounds of the histogram, in seconds: people take from seconds to days."""

_OUR_TOOLS = frozenset({"handoff_to_user", "check_handoff", "approve_tool_use", "answer_from_card"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KNOWN: "Mapping[str, Callable[[str], object]]" = {
    "mcp.method.name": frozenset(
        {
            *methods.SPEC_CLIENT_METHODS,
            *methods.SPEC_CLIENT_NOTIFICATION_METHODS,
            "tasks/get",
            "tasks/update",
            "tasks/cancel",
        }
        | {method for method, _ in (*methods.SERVER_REQUESTS, *methods.SERVER_NOTIFICATIONS)}
    ).__contains__,
    "gen_ai.tool.name": _OUR_TOOLS.__contains__,
    "gen_ai.tool.call.id": _ID.fullmatch,
    "jsonrpc.request.id": _ID.fullmatch,
}
"""What a client may have made up, and which of it is no words of its own."""
_KEPT = (
    "mcp.",
    "gen_ai.operation.name",
    "gen_ai.tool.name",
    "gen_ai.tool.call.id",
    "jsonrpc.request.id",
    "rpc.",
    "error.type",
    "handoffs.",
)

_active = False


@asynccontextmanager
async def exporting() -> AsyncGenerator[None]:
    """Export traces and metrics for the length of this block, and send at its end what is left.

    A provider that the process already has, as under `opentelemetry-instrument`, is used as it is.
    """
    global _active  # OpenTelemetry itself has one provider for a process
    if _active:
        yield
        return
    _active = True
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": SCOPE}
    resource = Resource.create({"service.version": handoffs.__version__, **named})
    tracing = measuring = None
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracing.add_span_processor(BatchSpanProcessor(WithoutWords(OTLPSpanExporter())))
        trace.set_tracer_provider(tracing)
    if not isinstance(metrics.get_meter_provider(), MeterProvider):
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        measuring = MeterProvider([reader], resource=resource, shutdown_on_exit=False, views=[histogram_view()])
        metrics.set_meter_provider(measuring)
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # a collector that is away is no news each second
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(FLUSH_SECONDS):
            await to_thread.run_sync(_flush, tracing, measuring, abandon_on_cancel=True)


def _flush(tracing: TracerProvider | None, measuring: MeterProvider | None) -> None:
    for each in (tracing, measuring):
        if each is not None:
            each.force_flush(int(FLUSH_SECONDS * 1000))


def histogram_view() -> View:
    """Return the view that gives the time to answer its bounds."""
    return View(instrument_name="handoffs.time_to_answer", aggregation=ExplicitBucketHistogramAggregation(BUCKETS))


class WithoutWords(SpanExporter):
    """Exports spans without events, without the words of their status, and without names that a client made up."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Take the exporter that sends."""
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send what is left of spans."""
        return self._exporter.export([_without_words(span) for span in spans])

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter holds."""
        return self._exporter.force_flush(timeout_millis)


def _without_words(span: ReadableSpan) -> ReadableSpan:
    given: Mapping[str, AttributeValue] = span.attributes or {}
    left_out = {name for name, known in _KNOWN.items() if name in given and not known(str(given[name]))}
    kept = {name: each for name, each in given.items() if name.startswith(_KEPT) and name not in left_out}
    return ReadableSpan(
        name=_name_of(span, kept) if "mcp.method.name" in given else span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _name_of(span: ReadableSpan, kept: "Mapping[str, AttributeValue]") -> str:
    """Return the name of a span of the SDK, which writes into it whatever the request has as `name`."""
    parts = ("MCP send" if span.kind is SpanKind.CLIENT else "", kept.get("mcp.method.name", "MCP"))
    return " ".join(str(each) for each in (*parts, kept.get("gen_ai.tool.name", "")) if each)


class Measured:
    """A store that counts what is asked and what ends, in this process; everything else passes through."""

    def __init__(self, store: OpenStore, meter: "Meter | None" = None) -> None:
        """Take the store, and the meter; without one, that of the process."""
        self._store = store
        meter = meter or metrics.get_meter(SCOPE, handoffs.__version__)
        self._opened = meter.create_counter("handoffs.opened", "{question}", "Questions asked, by kind")
        self._ended = meter.create_counter("handoffs.ended", "{question}", "Questions ended, by outcome and channel")
        self._time = meter.create_histogram(
            "handoffs.time_to_answer", "s", "From asking to a person's decision, by outcome and channel"
        )

    def __getattr__(self, name: str) -> object:
        """Return what the store has."""
        return cast("object", getattr(self._store, name))

    async def open(
        self,
        handoff: Handoff,
        *,
        collect_after: datetime,
        opened: Opened | None = None,
        quota: Quota | None = None,
    ) -> Handoff:
        """Store a new handoff, or join an open one; see `Store.open`."""
        kept = await self._store.open(handoff, collect_after=collect_after, opened=opened, quota=quota)
        if kept.id == handoff.id:
            kind = "call" if handoff.question.action is not None else "question"
            self._opened.add(1, {"handoffs.kind": kind})
        return kept

    async def record(
        self,
        handoff_id: str,
        *events: Event,
        known: Handoff | None = None,
        durable: bool = True,
        unless_stopped: bool = False,
        contents: Sequence[bytes] = (),
    ) -> Handoff:
        """Record events; see `Store.record`."""
        after = await self._store.record(
            handoff_id, *events, known=known, durable=durable, unless_stopped=unless_stopped, contents=contents
        )
        if after.end is not None and any(event.name == after.state.value for event in events):
            attributes = {"handoffs.outcome": after.state.value, "handoffs.channel": after.end.channel}
            self._ended.add(1, attributes)
            if after.state in (State.ANSWERED, State.DECLINED):
                self._time.record(max((after.end.at - after.created_at).total_seconds(), 0.0), attributes)
        return after


def measured(store: OpenStore) -> OpenStore:
    """Return the store, which counts from now on."""
    return cast("OpenStore", Measured(store))
