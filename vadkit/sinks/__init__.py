"""What plugins of kind sink use: the event, the error of a failed delivery, secrets, files, and requests over HTTP."""

from __future__ import annotations

from vadkit.credentials import masked, revealed, revealed_url, secret
from vadkit.events import Event
from vadkit.sinks.error import SinkError
from vadkit.sinks.http_request import Address, request
from vadkit.sinks.plain_name import plain_name
from vadkit.sinks.write_file import write_file

__all__ = [
    "Address",
    "Event",
    "SinkError",
    "masked",
    "plain_name",
    "request",
    "revealed",
    "revealed_url",
    "secret",
    "write_file",
]
