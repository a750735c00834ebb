"""The packets of a file: the first ones looked at before any is decoded, and the stamps that pictures go by."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import av

HEAD = 256  # pictures that are looked at, undecoded, to find the tracks and the frame rate ...
HEAD_BYTES = 32 << 20  # ... and the memory they may take
REORDERED = 17  # pictures that a decoder holds back at most, with the one it is given
PROOF = 32  # pictures after which stamps that never step back are believed


class Packets:
    """Iterates over the packets of the chosen tracks, once; ``damaged`` counts what could not be read."""

    def __init__(self, container: Any, tracks: Sequence[Any]) -> None:
        self.damaged = 0
        self.order = StampOrder()
        self.first: float | None = None  # stamp of the first packet of pictures
        self._packets = container.demux(list(tracks))
        self.head = self._read_head()
        self._chosen: set[int] = set()
        self._pictures = -1

    def choose(self, pictures: Any, sound: Any) -> None:
        """Leave out all other tracks."""
        self._pictures = pictures.index
        self._chosen = {track.index for track in (pictures, sound) if track is not None}
        for packet in self.of_pictures():
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None and not packet.is_discard:
                self.first = float(stamp * packet.time_base)
                return

    def of_pictures(self) -> list[Any]:
        """Return the first packets of the pictures."""
        return [p for p in self.head if p.stream_index == self._pictures and p.size]

    def __iter__(self) -> Iterator[Any]:
        head, self.head = self.head, []
        while head:
            packet = head.pop(0)
            if packet.stream_index in self._chosen:
                yield packet
        while (packet := self._next()) is not None:
            if packet.stream_index in self._chosen:
                yield packet

    def decode(self, packet: Any) -> list[Any]:
        """Return the pictures or the sound of a packet, nothing if it is damaged."""
        is_picture = packet.stream_index == self._pictures and packet.size
        if is_picture:
            self.order.sent(packet)
        try:
            return packet.decode()  # type: ignore[no-any-return]
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            if is_picture:
                self.order.failed(packet)
            return []

    def _next(self) -> Any:
        try:
            return next(self._packets, None)
        except (av.FFmpegError, OSError):  # the rest of the file cannot even be divided into packets
            self.damaged += 1
            return None

    def _read_head(self) -> list[Any]:
        head, pictures, size = [], 0, 0
        while pictures < HEAD and size < HEAD_BYTES and (packet := self._next()) is not None:
            head.append(packet)
            size += packet.size
            pictures += packet.stream.type == "video"
        return head


class StampOrder:
    """Gives each decoded picture its stamp, also where a file stamps its pictures in the order of decoding.

    AVI does: it has no times of presentation. Its packets' stamps then never step back though there are B-frames,
    and the n-th picture that the decoder gives has the n-th smallest stamp.
    """

    def __init__(self) -> None:
        self.reordered = False
        self._waiting: list[int] = []  # a heap of the stamps of packets whose pictures are still to come
        self._last: int | None = None
        self._possible = True
        self._shown: int | None = None  # the picture's own stamp before
        self._unlike = 0  # pictures whose own stamp is another

    def sent(self, packet: Any) -> None:
        """Note a packet that is given to the decoder."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if not self._possible or stamp is None:
            return
        if self._last is not None and stamp <= self._last:
            self._possible = self.reordered  # the file does have times of presentation
            return
        if packet.is_keyframe and self._shown is None:
            self._waiting.clear()  # no picture will come of what was before the first key frame
        self._last = stamp
        heapq.heappush(self._waiting, stamp)
        if len(self._waiting) > REORDERED:
            heapq.heappop(self._waiting)

    def failed(self, packet: Any) -> None:
        """Note that no picture will come of a packet."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp in self._waiting:
            self._waiting.remove(stamp)
            heapq.heapify(self._waiting)

    def stamp_of(self, frame: Any, reorders: bool) -> int | None:
        """Return the stamp of the next picture; ``reorders`` says whether the decoder does."""
        own: int | None = frame.pts
        smallest = heapq.heappop(self._waiting) if self._waiting else None
        if not self._possible or not reorders or own is None or smallest is None:
            self._shown = own
            return own
        self.reordered |= self._shown is not None and own < self._shown
        self._shown = own
        self._unlike += own != smallest
        if self._unlike > PROOF and not self.reordered:
            self._possible = False  # a picture was lost in decoding; the stamps are good
            return own
        return smallest
