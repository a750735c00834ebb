"""Put pictures and sound on one time line by their time stamps, whatever the stamps are worth.

The time line starts with the first picture. Decoders give pictures in the order in which they are shown, so a stamp
that is not after the one before is wrong, or the clock was reset. A doubtful picture waits for some that follow:
either they are back on the clock (then it was a wrong stamp), or they go on from there (then there is a hole, or the
clock was reset and the rest follows without a gap). No picture is dropped here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from vadkit.problems import plural

LONGEST_HOLE = 3600.0  # seconds; a longer jump is another clock
LONGEST_END = 60.0  # seconds; a jump before the last picture, which nothing confirms
PAUSE = 0.5  # seconds between pictures that raise no doubt
WAIT = 48  # pictures that wait at most ...
WAIT_BYTES = 64 << 20  # ... and the memory they take
WAIT_LEAST = 4  # but that many wait in any case
SLIP = 0.25  # seconds by which sound may disagree with its own length without a doubt
FAR = 2.0  # seconds from which sound is out of place for sure
SOUND_WAIT = 5.0  # seconds of sound that wait: files hold sound up to some seconds away from its pictures
SOUND_OVERLAP, SOUND_GAP = 2.0, 60.0  # seconds doubled or missing between the sound before and after a reset


class Reset(NamedTuple):
    """The clock jumped ``before`` -> ``after`` (seconds of the file's clock) at ``time`` on the time line."""

    time: float
    before: float
    after: float


@dataclass
class PictureTimes:
    """Gives each picture its time. ``step`` is the usual time between pictures."""

    step: float
    bases: list[float] = field(default_factory=list)  # stamps at time 0, one more after each reset
    time: float | None = None  # of the last picture
    unstamped: int = 0
    wrong: int = 0
    furthest: float = 0.0  # the largest error of a wrong stamp, in seconds
    resets: list[Reset] = field(default_factory=list)
    holes: list[tuple[float, float]] = field(default_factory=list)  # longer than LONGEST_END: start and length
    _held: list[tuple[float | None, Any]] = field(default_factory=list)
    _bytes: int = 0

    def place(self, stamp: float | None, item: Any, size: int = 0) -> Iterator[tuple[float, Any]]:
        """Take the next picture; yield (time, picture) of those whose time is certain."""
        self._held.append((stamp, item))
        self._bytes += size
        yield from self._settle(final=False)

    def finish(self) -> Iterator[tuple[float, Any]]:
        yield from self._settle(final=True)

    def doubts(self, assumed: float | None) -> Iterator[str]:
        """Yield what was wrong; ``assumed`` is the rate that places pictures without a stamp, None if that is said."""
        if self.unstamped and assumed is not None:
            yield f"{plural(self.unstamped, 'picture')} without a time stamp; {assumed:g} a second were assumed"
        if self.wrong:
            yield (
                f"{plural(self.wrong, 'picture')} with a wrong time stamp (by up to {self.furthest:.2f} s), placed "
                "between the others"
            )
        if self.resets:
            where = ", ".join(f"at {r.time:.1f} s from {r.before:.1f} s to {r.after:.1f} s" for r in self.resets[:3])
            more = ", ..." if len(self.resets) > 3 else ""
            yield (
                f"the file's clock jumps {plural(len(self.resets), 'time')} ({where}{more}), as in joined recordings; "
                "what follows was placed right after"
            )

    @property
    def _next(self) -> float:
        return 0.0 if self.time is None else self.time + self.step

    @property
    def _full(self) -> bool:
        count = len(self._held)
        return count >= WAIT or (count >= WAIT_LEAST and self._bytes >= WAIT_BYTES)

    def _settle(self, final: bool) -> Iterator[tuple[float, Any]]:
        while self._held:
            stamp = self._held[0][0]
            if stamp is None:
                self.unstamped += 1
                yield self._emit(self._next)
            elif not self.bases:
                self.bases.append(stamp - self._next)
                yield self._emit(self._next)
            elif self._is_regular(stamp):
                yield self._emit(stamp - self.bases[-1])
            elif back := self._back_on_clock():
                yield from self._spread(back)
            elif final or self._full:
                yield self._jump(stamp)
            else:
                return
        self._bytes = 0

    def _emit(self, time: float) -> tuple[float, Any]:
        self.time = time
        self._bytes -= self._bytes // len(self._held)
        return time, self._held.pop(0)[1]

    def _is_regular(self, stamp: float) -> bool:
        assert self.time is not None
        passed = stamp - self.bases[-1] - self.time
        if passed > 1.5 * self.step:  # believed if the next picture is later still
            following = self._held[1][0] if len(self._held) > 1 else stamp
            return passed <= max(PAUSE, 4 * self.step) and (following is None or following > stamp)
        return passed > 0

    def _back_on_clock(self) -> int | None:
        """Return which waiting picture is where it would be if those before it had wrong stamps."""
        assert self.time is not None
        first = self._held[0][0]
        now = self.bases[-1] + self.time
        for i in range(1, len(self._held)):
            before, stamp = self._held[i - 1][0], self._held[i][0]
            if stamp is None or before is None or first is None or (first > now and stamp >= first):
                continue
            passed, steps = stamp - now, (i + 1) * self.step
            goes_on = 0 < stamp - before <= 1.5 * self.step
            # After a jump ahead, any way back will do; after a jump back, the missed pictures must fit in.
            least = -SLIP if first > now else 0.75 * steps
            if not goes_on and least <= passed <= 4 * steps + 1:
                return i
        return None

    def _spread(self, count: int) -> Iterator[tuple[float, Any]]:
        """Yield the first pictures, evenly between the last one and the one that is back on the clock."""
        assert self.time is not None
        start, back = self.time, self._held[count][0]
        assert back is not None
        step = (back - self.bases[-1] - start) / (count + 1)
        step = step if step > 0 else self.step
        for i in range(count):
            yield self._wrong(start + (i + 1) * step)

    def _wrong(self, time: float) -> tuple[float, Any]:
        stamp = self._held[0][0]
        assert stamp is not None
        self.wrong += 1
        self.furthest = max(self.furthest, abs(stamp - self.bases[-1] - time))
        return self._emit(time)

    def _jump(self, stamp: float) -> tuple[float, Any]:
        assert self.time is not None
        time, alone = stamp - self.bases[-1], len(self._held) == 1
        if self.time < time <= self.time + (LONGEST_END if alone else LONGEST_HOLE):
            if time - self.time > LONGEST_END:
                self.holes.append((self.time, time - self.time))
            return self._emit(time)
        if alone or self._held[1][0] == stamp:  # nothing that follows confirms it, or the clock stands still
            return self._wrong(self._next)
        self.resets.append(Reset(self._next, self.bases[-1] + self.time, stamp))
        self.bases.append(stamp - self._next)
        return self._emit(self._next)


@dataclass
class SoundTimes:
    """Gives each piece of sound its time, on the clock of the pictures: ``bases`` is that of their line."""

    bases: list[float]
    end: float | None = None  # of the last piece
    first: float | None = None  # time of the first piece
    wrong: int = 0
    resets: int = 0  # which the pictures do not have
    _base: float = 0.0
    _held: list[tuple[float | None, int, np.ndarray]] = field(default_factory=list)

    def place(self, stamp: float | None, rate: int, mono: np.ndarray) -> Iterator[tuple[float, int, np.ndarray]]:
        """Take the next piece; yield (time, rate, piece) of those whose time is certain."""
        self._held.append((stamp, rate, mono))
        yield from self._settle(final=False)

    def finish(self) -> Iterator[tuple[float, int, np.ndarray]]:
        yield from self._settle(final=True)

    def doubts(self) -> Iterator[str]:
        """Yield what was wrong."""
        if self.first is not None and self.first < -PAUSE:
            yield f"the sound begins {-self.first:.1f} s before the first picture; that part was left out"
        if self.first is not None and self.first > PAUSE:
            yield f"the sound begins {self.first:.1f} s after the first picture; silence was added before it"
        if self.wrong:
            yield f"{plural(self.wrong, 'piece')} of sound with a wrong time stamp, joined to the one before"
        if self.resets:
            yield f"the clock of the sound jumps {plural(self.resets, 'time')}; its pieces were joined end to end"

    def _settle(self, final: bool) -> Iterator[tuple[float, int, np.ndarray]]:
        while self._held:
            time = self._time()
            if time is None and (final or self._waiting(len(self._held)) >= SOUND_WAIT):
                time = self._jump()
            if time is None:
                return
            _, rate, mono = self._held.pop(0)
            self.end = time + len(mono) / rate
            yield time, rate, mono

    def _waiting(self, count: int) -> float:
        return sum(len(mono) / rate for _, rate, mono in self._held[:count])

    def _time(self) -> float | None:
        """Return the time of the first waiting piece, None if it is in doubt."""
        stamp = self._held[0][0]
        if self.end is None:
            return self._begin(stamp)
        if stamp is None:
            return self.end
        if abs(stamp - self._base - self.end) <= SLIP:
            return stamp - self._base
        newer = self.bases[self.bases.index(self._base) + 1 :] if self._base in self.bases else self.bases
        for base in newer:  # the pictures' clock was reset, and so is this
            if -SOUND_OVERLAP <= stamp - base - self.end <= SOUND_GAP:
                self._base = base
                return stamp - base
        slip = SLIP if abs(stamp - self._base - self.end) < FAR else FAR / 2
        for i, (later, _, _) in enumerate(self._held):
            if later is not None and abs(later - self._base - self.end - self._waiting(i)) <= slip:
                self.wrong += 1
                return self.end
        return None

    def _begin(self, stamp: float | None) -> float | None:
        self._base = self.bases[-1] if self.bases else 0.0
        if stamp is None:
            self.first = 0.0
            return 0.0
        for i, (later, _, _) in enumerate(self._held):  # the first one may be dated before a clock's 0, and wrap
            if later is not None and abs(later - self._base) <= LONGEST_HOLE:
                self.first = later - self._base - self._waiting(i)
                return self.first
        return None

    def _jump(self) -> float:
        stamp = self._held[0][0]
        assert stamp is not None
        if self.end is None:
            self.resets += 1
            self._base, self.first = stamp, 0.0
            return 0.0
        if 0 < stamp - self._base - self.end <= LONGEST_HOLE:
            return stamp - self._base
        self.resets += 1
        self._base = stamp - self.end
        return self.end
