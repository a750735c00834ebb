"""Events and health as metrics for Prometheus."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vadkit import Sink, fail, hookimpl
from vadkit.sinks import Event, secret, write_file

FILE, TOKEN = "metrics.prom", "token"
POLL = 0.1  # seconds in which the server notices that it is to end


class PrometheusSink(Sink):
    """Keep metrics of events and of each source for Prometheus, in a file, or at a port of this machine if asked to.

    The file ``metrics.prom`` is of the form that node_exporter's textfile collector reads. With a port, the metrics are
    at ``http://127.0.0.1:PORT/metrics`` for those who send the token as ``Authorization: Bearer TOKEN``.

    ``vadkit_events_total``, ``vadkit_event_active``, ``vadkit_event_peak``, ``vadkit_source_up``, and a gauge
    ``vadkit_source_NAME`` for each number in the health of a source; all by ``source``.

    Args:
        port: opened on 127.0.0.1 only; null opens none.
        token: as ``{NAME}`` or ``{file:PATH}``; null writes a new one into the file ``token``, which only its owner
            can read.

    Raises VadkitError where prometheus-client is not installed, or the port cannot be opened.
    """

    name = "prometheus"

    def __init__(self, *, port: int | None = None, token: str | None = None) -> None:
        if port is not None and not 0 <= port < 65536:
            raise ValueError(f"port must be from 0 to 65535, got {port}")
        self.port = port
        self._token = None if token is None else secret(token, "token")
        self._server: ThreadingHTTPServer | None = None

    def open(self, folder: Path) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge
        except ImportError:
            fail("the sink prometheus needs prometheus-client, which is not installed", "pip install 'vadkit[watch]'")
        self.folder, self._registry, self._gauge = folder, CollectorRegistry(), Gauge
        labels = ["source"]
        self._events = Counter("vadkit_events", "Events that have begun.", labels, registry=self._registry)
        self._gauges: dict[str, Any] = {}
        if self.port is not None:
            self._serve(self.port)

    def send(self, event: Event) -> None:
        if event.state == "new":
            self._events.labels(event.source).inc()
        self._set("vadkit_event_active", "1 while an event lasts.", event.source, event.state != "end")
        self._set("vadkit_event_peak", "Highest score of the latest event.", event.source, event.peak)
        self._write()

    def health(self, source: str, values: Mapping[str, Any]) -> None:
        self._set("vadkit_source_up", "1 if the source gives pictures.", source, values.get("state") == "online")
        for key, value in values.items():
            if isinstance(value, int | float):
                name = re.sub(r"[^a-z0-9_]+", "_", str(key).lower())
                self._set(f"vadkit_source_{name}", f"{key} of the source.", source, value)
        self._write()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _set(self, name: str, meaning: str, source: str, value: float) -> None:
        if name not in self._gauges:
            self._gauges[name] = self._gauge(name, meaning, ["source"], registry=self._registry)
        self._gauges[name].labels(source).set(value)

    def _text(self) -> bytes:
        from prometheus_client import generate_latest

        return bytes(generate_latest(self._registry))

    def _write(self) -> None:
        if self.port is None:
            write_file(self.folder / FILE, self._text())

    # -- the port ----------------------------------------------------------------------------------
    def _serve(self, port: int) -> None:
        token = self._token or self._new_token()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # of a client that says nothing

            def do_GET(self) -> None:
                given = self.headers.get("Authorization", "").encode("utf-8", "replace")
                if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", "Bearer")
                    self.end_headers()
                    return
                if self.path.partition("?")[0] != "/metrics":
                    self.send_error(404)
                    return
                body = sink._text()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """The library never prints."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            fail(f"the port {port} of 127.0.0.1 cannot be opened: {(error.strerror or str(error)).lower()}")
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(POLL,), name="metrics", daemon=True).start()

    def _new_token(self) -> str:
        token, file = secrets.token_urlsafe(24), self.folder / TOKEN
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(token, "ascii")
        return token


@hookimpl
def vadkit_components() -> list[type]:
    return [PrometheusSink]
