"""Events as requests to an address of yours."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vadkit import Sink, hookimpl
from vadkit.sinks import Address, Event, request


class WebhookSink(Sink):
    """Send each message of an event as JSON to an address, and again while it is busy or cannot be reached.

    An answer of 408, 425, 429 or from 500 is tried again, after the time in its ``Retry-After`` if it has one; any
    other refusal is final. A redirect is refused, since it would send the headers to another address. The header
    ``Idempotency-Key`` is the same in every try of a message, so that the receiver can tell a second one.

    Args:
        url: where to; ``{NAME}`` or ``{file:PATH}`` in it stand for secrets.
        headers: further ones, such as ``{"Authorization": "Bearer {HOOK_TOKEN}"}``.
        method: of the requests.
        states: the messages that are sent: new, update, end.
        timeout_s: how long one request may take.
        attempts: how often a message is tried.
        per_minute: the most requests in a minute; null is without limit.
    """

    name = "webhook"
    example = {
        "url": "http://user:{VADKIT_TEST_SECRET}@127.0.0.1:9/hook?key={VADKIT_TEST_SECRET}",
        "headers": {"Authorization": "Bearer {VADKIT_TEST_SECRET}"},
        "timeout_s": 0.05,
    }

    def __init__(
        self,
        *,
        url: str,
        headers: dict[str, str] | None = None,
        method: Literal["POST", "PUT", "PATCH"] = "POST",
        states: list[str] = ["new", "update", "end"],  # noqa: B006 - it is not changed
        timeout_s: float = 5.0,
        attempts: int = 10,
        per_minute: float | None = None,
    ) -> None:
        for state in states:
            if state not in ("new", "update", "end"):
                raise ValueError(f"states holds '{state}'; there are new, update and end")
        if timeout_s <= 0 or attempts < 1 or (per_minute is not None and per_minute <= 0):
            raise ValueError("timeout_s and per_minute must be above 0, and attempts at least 1")
        self.address, self.method, self.states = Address(url, headers), method, tuple(states)
        self.timeout_s, self.attempts, self.per_minute = timeout_s, attempts, per_minute

    def open(self, folder: Path) -> None:
        """Nothing to open: each message is a request of its own."""

    def send(self, event: Event) -> None:
        if event.state in self.states:
            key = {"Idempotency-Key": f"{event.id}-{event.state}-{event.end_s:.3f}"}
            request(self.address, event.as_dict(), self.timeout_s, method=self.method, headers=key)


@hookimpl
def vadkit_components() -> list[type]:
    return [WebhookSink]
