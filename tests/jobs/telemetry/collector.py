"""A collector of traces for tests: a real HTTP server on loopback that decodes what it is sent (OTLP, protobuf)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Received:
    """A span as it came."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    failed: bool
    attributes: dict[str, object]


@dataclass
class Collector:
    url: str = ""
    spans: list[Received] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def wait_for(self, *names: str) -> dict[str, Received]:
        """The spans of these names, once all have come."""
        deadline = time.monotonic() + 60
        while not set(names) <= {span.name for span in self.spans}:
            assert time.monotonic() < deadline, f"came: {[span.name for span in self.spans]}"
            time.sleep(0.02)
        return {span.name: span for span in self.spans}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector; OTEL_EXPORTER_OTLP_ENDPOINT is its `url`."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.paths.add(self.path)
            collector.spans.extend(_decoded(body))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _decoded(body: bytes) -> list[Received]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Received(
            service=next(pair.value.string_value for pair in sent.resource.attributes if pair.key == "service.name"),
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            state=span.trace_state,
            failed=span.status.code == span.status.STATUS_CODE_ERROR,
            attributes={
                pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
                for pair in span.attributes
            },
        )
        for sent in request.resource_spans
        for scope in sent.scope_spans
        for span in scope.spans
    ]
