"""One request over HTTP, for sinks: a time-out, no redirect, no secret in a message."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

from vadkit import __version__
from vadkit.credentials import revealed, revealed_url
from vadkit.problems import fail
from vadkit.sinks.error import SinkError

MOST = 64 << 10  # bytes of an answer that are read
PASSING = (408, 425, 429)  # refusals that may not last; and all from 500
LONGEST_WAIT = 600.0  # seconds, whatever the receiver asks for


class Address:
    """The address of a receiver, and the headers of every request to it.

    Args:
        url: of http or https. It may name secrets (``https://cam:{PASSWORD}@host/``).
        headers: may name secrets (``{"Authorization": "Bearer {TOKEN}"}``).
        what: the argument that holds the address, for messages.

    In messages it is its scheme and host alone, since a path may be a secret, too.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, what: str = "url") -> None:
        try:
            parts = urlsplit(revealed_url(url, what))
            host, port = parts.hostname, parts.port
        except ValueError:  # its text might hold a password
            host = None
        if not host or parts.scheme not in ("http", "https"):
            fail(f"{what} must be an address that begins with http:// or https://")
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        self._headers = {"User-Agent": f"vadkit/{__version__}", "Content-Type": "application/json"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        self._headers |= {
            name: _header(name, revealed(text, f"header {name}")) for name, text in (headers or {}).items()
        }
        host = f"[{host}]" if ":" in host else host
        self.shown = f"{parts.scheme}://{host}{f':{port}' if port else ''}"

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    def at(self, path: str, data: Any, method: str, headers: Mapping[str, str]) -> urllib.request.Request:
        """Return the request to the address, or to a path below it."""
        url = f"{self._url.rstrip('/')}/{path}" if path else self._url
        body = json.dumps(data, allow_nan=False).encode()
        return urllib.request.Request(url, body, {**self._headers, **headers}, method=method)


def _header(name: str, value: str) -> str:
    if not name.isascii() or not (name + value).isprintable() or not value.isascii():
        fail(f"header {name!r} holds a character that headers cannot hold")
    return value


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would send the headers, and with them a secret, to another address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def request(
    address: Address,
    data: Any,
    timeout_s: float,
    *,
    path: str = "",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Send plain data as JSON and return what is answered, at most 64 KiB.

    Raises SinkError where no answer comes within ``timeout_s`` or the answer is a refusal.
    """
    until = time.monotonic() + timeout_s
    try:
        with _OPENER.open(address.at(path, data, method, headers or {}), timeout=timeout_s) as answer:
            return _read(answer, until, address)
    except urllib.error.HTTPError as error:
        with error:
            _refused(address, error)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        slow = isinstance(reason, TimeoutError)
        cause = f"no answer within {timeout_s:g} s" if slow else _cause(reason)
        raise SinkError(f"{address.shown}: {cause}") from None


def _read(answer: Any, until: float, address: Address) -> bytes:
    """Read an answer in pieces, since the time-out of a socket is that of each piece."""
    found = b""
    while len(found) < MOST:
        piece = answer.read1(MOST - len(found))
        if not piece:
            break
        found += piece
        if time.monotonic() > until:
            raise SinkError(f"{address.shown}: the answer takes too long")
    return found


def _refused(address: Address, error: urllib.error.HTTPError) -> NoReturn:
    again = error.code >= 500 or error.code in PASSING
    text = f"{address.shown}: refused with status {error.code}"
    if 300 <= error.code < 400:
        text = f"{address.shown}: answered with a redirect (status {error.code}), which is not followed"
    raise SinkError(text, again, _wait(error.headers.get("Retry-After"))) from None


def _wait(text: str | None) -> float | None:
    return min(float(text), LONGEST_WAIT) if text and text.strip().isdecimal() else None


def _cause(reason: object) -> str:
    """Return why a request failed; only the words of the system, which hold no address."""
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return "the connection was cut" if isinstance(reason, HTTPException | ConnectionError) else type(reason).__name__
