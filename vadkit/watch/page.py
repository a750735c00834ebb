"""The page of the live state: served on loopback only, to those who know its token, with nothing from elsewhere."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from vadkit.files import why
from vadkit.problems import fail
from vadkit.report import render
from vadkit.watch.live_state import LiveState

HOST = "127.0.0.1"
TIMEOUT_S = 10.0
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Page:
    """A server of the page, from ``open`` to ``close``.

    Args:
        port: on loopback; 0 takes a free one.

    Raises VadkitError if the port is in use.
    """

    def __init__(self, state: LiveState, port: int = 0) -> None:
        self.state, self.token = state, secrets.token_urlsafe(18)
        handler = type("Handler", (_Handler,), {"page": self})
        try:
            self.server = ThreadingHTTPServer((HOST, port), handler)
        except OSError as error:
            fail(f"port {port} cannot be used for the page: {why(error)}", "give another with --page PORT")
        except OverflowError:
            fail(f"there is no port {port}", "a port is from 1 to 65535")
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.2,), daemon=True, name="page")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server.server_address[1]}/?token={self.token}"

    def __enter__(self) -> Page:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def html(self) -> str:
        """Return the page, with the state as it is now, so that it shows something before its script has run."""
        return render(
            "watch.html",
            title="Live",
            subtitle=f"{self.state.model} watches {', '.join(camera.name for camera in self.state.cameras)}.",
            state=self.state.as_dict(),
        )


class _Handler(BaseHTTPRequestHandler):
    """Answers GET / and GET /state with the token, and nothing else."""

    page: Page
    server_version, sys_version = "vadkit", ""
    timeout = TIMEOUT_S

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        token = parse_qs(parts.query).get("token", [""])[0]
        if not hmac.compare_digest(token.encode(), self.page.token.encode()) or not self._is_local():
            self._answer(HTTPStatus.FORBIDDEN, b"the address of the page, with its token, is printed at start\n")
        elif parts.path == "/":
            self._answer(HTTPStatus.OK, self.page.html().encode(), "text/html; charset=utf-8")
        elif parts.path == "/state":
            body = json.dumps(self.page.state.as_dict(), allow_nan=False).encode()
            self._answer(HTTPStatus.OK, body, "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there is no such page\n")

    def _is_local(self) -> bool:
        """Return whether the browser asked for this host, and not for a name that leads here."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        return host in (HOST, "localhost")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: a request holds the token."""
