"""Receivers on this machine for tests of sinks: an HTTP server that fails as it is asked to, and an MQTT broker."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vadkit.events import Event, event_id


def life(source: str = "door", start_s: float = 12.8) -> list[Event]:
    """Return the three messages of an event."""
    name = event_id(source, start_s)
    return [
        Event("new", name, source, start_s, start_s, start_s, 0.9, "fire", {"rgb": 0.5}),
        Event("update", name, source, start_s, start_s + 5.12, start_s + 0.64, 0.95, "fire", {"rgb": 0.6}),
        Event("end", name, source, start_s, start_s + 6.4, start_s + 0.64, 0.95, "fire", {"rgb": 0.6}, "clip.mp4"),
    ]


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Wait until something is true; return whether it became so."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Receiver:
    """What a server got, and the answers that it is still to give; after them it says yes."""

    url: str
    got: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    wait_s: float = 0.0

    def bodies(self) -> list[Any]:
        return [request["body"] for request in self.got]


@contextmanager
def http_receiver(port: int = 0) -> Iterator[Receiver]:
    """Run an HTTP server that keeps every request."""
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.got.append(
                {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": json.loads(body)}
            )
            time.sleep(receiver.wait_s)
            status, headers, text = receiver.answers.pop(0) if receiver.answers else (200, {}, b"")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_PUT = do_PATCH = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads, server.block_on_close = True, False
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def mqtt_broker(port: int) -> Iterator[None]:
    """Run an MQTT broker on a port of this machine."""
    from amqtt.broker import Broker

    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

    async def made() -> Any:
        return Broker(config)

    broker = run(made())
    run(broker.start())
    try:
        yield
    finally:
        run(broker.shutdown())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
