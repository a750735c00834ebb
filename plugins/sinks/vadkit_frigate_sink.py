"""Events as manual events of Frigate, a recorder for cameras, so that they are in its review and its recordings."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from vadkit import Sink, hookimpl
from vadkit.sinks import Address, Event, SinkError, request, write_file

OPEN = "open_events.json"


class FrigateSink(Sink):
    """Create a manual event in Frigate when an event begins, and end it when it ends.

    Frigate begins its event when it is called, and adds its own seconds before; it does not take an earlier start.
    Updates are not sent, since it has no call for them. Events that have not ended are kept in a file, so that they
    are ended after a restart, too.

    Args:
        url: of Frigate, such as ``http://frigate:5000``; it may name secrets.
        cameras: Frigate's names of the sources; one that is not listed has the same name there.
        label: of the events; the class, if there is one, is their sub-label.
        headers: further ones, such as ``{"Authorization": "Bearer {FRIGATE_TOKEN}"}``.
        include_recording: whether Frigate keeps its recording of the event.
        timeout_s: how long one request may take.
    """

    name = "frigate"
    example = {"url": "http://user:{VADKIT_TEST_SECRET}@127.0.0.1:9", "timeout_s": 0.05}

    def __init__(
        self,
        *,
        url: str,
        cameras: dict[str, str] | None = None,
        label: str = "anomaly",
        headers: dict[str, str] | None = None,
        include_recording: bool = True,
        timeout_s: float = 5.0,
    ) -> None:
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, got {timeout_s:g}")
        self.address, self.cameras, self.label = Address(url, headers), dict(cameras or {}), label
        self.include_recording, self.timeout_s = include_recording, timeout_s

    def open(self, folder: Path) -> None:
        self.file = folder / OPEN
        try:
            known = json.loads(self.file.read_text("utf-8"))
        except (OSError, ValueError):
            known = {}
        self.ids: dict[str, str] = known if isinstance(known, dict) else {}

    def send(self, event: Event) -> None:
        if event.state == "new" and event.id not in self.ids:
            self.ids[event.id] = self._create(event)
            self._keep()
        elif event.state == "end" and event.id in self.ids:
            self._end(self.ids[event.id])
            del self.ids[event.id]
            self._keep()

    def _create(self, event: Event) -> str:
        camera = self.cameras.get(event.source, event.source)
        path = f"api/events/{quote(camera, safe='')}/{quote(self.label, safe='')}/create"
        data = {"duration": None, "include_recording": self.include_recording, "sub_label": event.class_name}
        if 0 <= event.peak <= 1:
            data["score"] = event.peak
        answer = request(self.address, data, self.timeout_s, path=path)
        try:
            return str(json.loads(answer)["event_id"])
        except (ValueError, LookupError, TypeError):
            raise SinkError(f"{self.address.shown}: the answer holds no event_id", again=False) from None

    def _end(self, name: str) -> None:
        try:
            request(self.address, {}, self.timeout_s, path=f"api/events/{quote(name, safe='')}/end", method="PUT")
        except SinkError as error:
            if error.again:  # otherwise the event is gone there
                raise

    def _keep(self) -> None:
        write_file(self.file, json.dumps(self.ids).encode())


@hookimpl
def vadkit_components() -> list[type]:
    return [FrigateSink]
