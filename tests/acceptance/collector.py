"""A stand-in for an OpenTelemetry collector: it takes OTLP over HTTP, as the specification says, and keeps what came.

https://opentelemetry.io/docs/specs/otlp/#otlphttp: `POST /v1/traces` and `/v1/metrics`, protobuf, maybe gzipped.
"""

import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.web.serving import on_port


@dataclass
class Span:
    name: str
    trace: str
    id: str
    parent: str
    seconds: float
    attributes: dict[str, Any]


@dataclass
class Collector:
    url: str = ""
    raw: bytes = b""
    spans: list[Span] = field(default_factory=list)
    points: dict[str, list[Any]] = field(default_factory=dict)
    """The data points of each metric, by its name; those of the last export of each process."""
    services: set[str] = field(default_factory=set)

    @property
    def env(self) -> dict[str, str]:
        """What sends a process's telemetry here, often."""
        return {
            "HANDOFFS_TELEMETRY": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def sums(self, name: str) -> dict[tuple[str, ...], Any]:
        """The newest value of each series of a metric, by the values of its attributes."""
        return {tuple(sorted(map(str, plain(point.attributes).values()))): point for point in self.points.get(name, [])}

    async def traces(self, request: Request) -> Response:
        export = ExportTraceServiceRequest.FromString(await self._body(request))
        for resource in export.resource_spans:
            self.services.add(str(plain(resource.resource.attributes).get("service.name")))
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        name=span.name,
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        attributes=plain(span.attributes),
                    )
                    for span in scope.spans
                ]
        return _done(ExportTraceServiceResponse())

    async def metrics(self, request: Request) -> Response:
        export = ExportMetricsServiceRequest.FromString(await self._body(request))
        for resource in export.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    assert kind is not None
                    self.points.setdefault(metric.name, []).extend(getattr(metric, kind).data_points)
        return _done(ExportMetricsServiceResponse())

    async def _body(self, request: Request) -> bytes:
        assert request.headers["content-type"] == "application/x-protobuf"
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.raw += body
        return body


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as Python has them."""
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}


def _done(reply: Any) -> Response:
    return Response(reply.SerializeToString(), media_type="application/x-protobuf")


@asynccontextmanager
async def collecting() -> AsyncGenerator[Collector]:
    collector = Collector()
    routes = [
        Route("/v1/traces", collector.traces, methods=["POST"]),
        Route("/v1/metrics", collector.metrics, methods=["POST"]),
    ]
    async with on_port(Starlette(routes=routes)) as port:
        collector.url = f"http://127.0.0.1:{port}"
        yield collector
