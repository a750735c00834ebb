"""What a sink raises for an event that it could not deliver."""

from __future__ import annotations


class SinkError(Exception):
    """An event was not delivered. The message says why and shows no secret.

    Args:
        again: whether another try may succeed; False where the receiver refuses the event itself.
        after_s: how long the receiver asks to wait before the next try, if it says so.
    """

    def __init__(self, message: str, again: bool = True, after_s: float | None = None) -> None:
        super().__init__(message)
        self.again, self.after_s = again, after_s
