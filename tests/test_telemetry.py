"""What telemetry counts, and what it leaves out, with the SDK's exporters in memory."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from handoffs import assembly
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded
from handoffs.core.model import Caller
from handoffs.settings import Settings, SettingsError
from handoffs.store import OpenStore
from handoffs.store.sqlite.store import SqliteStore
from handoffs.telemetry import Measured, WithoutWords, histogram_view
from tests.fakes import FakeClock

ADA = Caller(subject="ada", client="claude-code", project="/srv/shop")


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


def values(found: list[Any]) -> list[tuple[dict[str, object], int]]:
    return [(dict(cast("Mapping[str, object]", point.attributes)), point.value) for point in found]


async def test_questions_are_counted_once_by_outcome_and_channel(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], views=[histogram_view()]).get_meter("test")
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        clock = FakeClock()
        desk = Desk(store=cast("OpenStore", Measured(store, meter)), clock=clock)
        first = await desk.ask(message="First?", caller=ADA, timeout_seconds=600)
        assert (await desk.ask(message="First?", caller=ADA, timeout_seconds=600)).id == first.id  # joined
        second, third = [
            await desk.ask(message=each, caller=ADA, timeout_seconds=600) for each in ("Second?", "Third?")
        ]
        clock.forward(45)
        await desk.answer(first, {"response": "x"}, by="ada", channel="inbox")
        with pytest.raises(AlreadyEnded):
            await desk.decline(first, by="bob", channel="terminal")
        await desk.decline(second, by="ada", channel="terminal")
        clock.forward(600)
        assert (await desk.get(third.id)).state.value == "expired"
        await desk.collect(await desk.get(first.id))
    found = points(reader)
    assert values(found["handoffs.opened"]) == [({"handoffs.kind": "question"}, 3)]
    ended = values(found["handoffs.ended"])
    assert sorted((each["handoffs.outcome"], each["handoffs.channel"], count) for each, count in ended) == [
        ("answered", "inbox", 1),
        ("declined", "terminal", 1),
        ("expired", "", 1),
    ]
    taken = {
        point.attributes["handoffs.outcome"]: (point.count, point.sum) for point in found["handoffs.time_to_answer"]
    }
    assert taken == {"answered": (1, 45.0), "declined": (1, 45.0)}


def test_spans_leave_without_words_that_others_wrote() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(WithoutWords(kept)))
    tracer = provider.get_tracer("test")
    for name in ("check_handoff", "made up"):
        attributes = {"mcp.method.name": "tools/call", "gen_ai.tool.name": name, "url.full": "https://hush.example"}
        with tracer.start_as_current_span(f"tools/call {name}", attributes=attributes) as span:
            span.add_event("hush", {"exception.message": "hush"})
            span.set_status(StatusCode.ERROR, "hush")
    ours, theirs = kept.get_finished_spans()
    assert (ours.name, theirs.name) == ("tools/call check_handoff", "tools/call")
    assert dict(ours.attributes or {}) == {"mcp.method.name": "tools/call", "gen_ai.tool.name": "check_handoff"}
    assert dict(theirs.attributes or {}) == {"mcp.method.name": "tools/call"}
    for span in (ours, theirs):
        assert span.status.status_code is StatusCode.ERROR
        assert "hush" not in span.to_json()


def test_nothing_that_a_client_made_up_leaves_in_a_span() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(WithoutWords(kept)))
    tracer = provider.get_tracer("test")
    for method, more in (
        ("ping", {"jsonrpc.request.id": "7"}),
        ("resources/read", {"jsonrpc.request.id": "hush and more"}),
        ("notifications/hush", {}),
        ("tools/call", {"gen_ai.tool.name": "check_handoff", "gen_ai.tool.call.id": "hush and more"}),
    ):
        tracer.start_span(f"{method} hush", attributes={"mcp.method.name": method, **more}).end()
    sent = {"mcp.method.name": "elicitation/create"}
    tracer.start_span("MCP send elicitation/create hush", kind=SpanKind.CLIENT, attributes=sent).end()
    tracer.start_span("handoffs.wait").end()
    spans = kept.get_finished_spans()
    assert not [span for span in spans if "hush" in span.to_json()]
    names = [
        "ping",
        "resources/read",
        "MCP",
        "tools/call check_handoff",
        "MCP send elicitation/create",
        "handoffs.wait",
    ]
    assert [span.name for span in spans] == names
    assert (spans[0].attributes or {})["jsonrpc.request.id"] == "7"


async def test_without_the_extra_the_setting_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "handoffs.telemetry", None)
    settings = Settings(store=tmp_path / "handoffs.db", telemetry="otlp")
    with pytest.raises(SettingsError, match=r"needs the extra otel: .*otel"):
        async with assembly.open_desk(settings):
            pass
