"""Run mutants of a target, one after the other, and collect what went wrong."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import re
import resource
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vadkit.cli import main
from vadkit.problems import VadkitError, render

SECONDS = 30  # a mutant that takes longer hangs
MEMORY = 3 << 30  # more than any mutant may take
ESCAPE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Hangs(BaseException):
    """A verb took too long. No error that the verb may take for its own."""


class Target(Protocol):
    """A kind of file. ``prepare`` writes seeds into a folder; ``mutate`` damages a copy of it and returns the verbs."""

    name: str

    def prepare(self, folder: Path) -> None: ...

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]: ...


@dataclass(frozen=True)
class Finding:
    """What a mutant did that it must not."""

    target: str
    seed: int
    cause: str
    where: str

    def __str__(self) -> str:
        again = f"python -m tests.fuzz --target {self.target} --seed {self.seed} --mutants 1"
        return f"{self.cause}\n    at {self.where}\n    again: {again}"


@dataclass
class Outcome:
    """Counts of what came out, and the findings."""

    mutants: int = 0
    fine: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


class command:  # noqa: N801
    """A verb: a command line that runs in this process."""

    def __init__(self, *words: str | Path) -> None:
        self.words = [str(word) for word in words]
        self.__name__ = " ".join(self.words[:2])

    def __call__(self) -> int:
        return main(self.words)


def run(target: Target, seeds: range) -> Outcome:
    """Try the mutants of the given seeds."""
    outcome = Outcome()
    base = Path(tempfile.mkdtemp(prefix="vadkit-fuzz-"))
    before = os.getcwd()
    try:
        (base / "seeds").mkdir()
        target.prepare(base / "seeds")
        with _limited():
            for seed in seeds:
                _one(target, seed, base, outcome)
    finally:
        os.chdir(before)
        shutil.rmtree(base, ignore_errors=True)
    return outcome


def _one(target: Target, seed: int, base: Path, outcome: Outcome) -> None:
    canary, work, here = base / "canary", base / "work", base / "here"
    _fresh(base, canary, work, here)
    os.chdir(here)
    rng = random.Random(f"{target.name} {seed}")
    try:
        verbs = target.mutate(work, canary, rng)
    except Exception as error:
        error.add_note(f"the mutant {seed} of {target.name} could not be written")
        raise
    outside = _snapshot(canary, here)
    outcome.mutants += 1
    for verb in verbs:
        found = _try(verb, outcome)
        after = _snapshot(canary, here)
        if found is None and after != outside:
            changed = sorted(name for name in {*outside, *after} if outside.get(name) != after.get(name))
            found = f"changed outside of its folder: {', '.join(changed)}", verb.__name__
        if found:
            outcome.findings.append(Finding(target.name, seed, *found))
            return
    outcome.fine += 1


def _try(verb: Callable[[], Any], outcome: Outcome) -> tuple[str, str] | None:
    """Run a verb; return the cause and the place of what it must not do."""
    shown = io.StringIO()
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            code = verb()
        text = shown.getvalue()
    except VadkitError as error:
        code, text = 2, render(error.problems)
        if not all(problem.message.strip() for problem in error.problems):
            return "an error without a message", verb.__name__
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:150]!r}", _where(error, verb)
    finally:
        signal.alarm(0)
    if isinstance(code, int) and not isinstance(code, bool):
        outcome.messages[re.sub(r"\d+|'[^']*'|\S*/\S*", "_", text)[:60] if code else "nothing wrong"] += 1
        if code not in (0, 1, 2) or (code and not text.strip()):
            return f"exit code {code} with the text {text[:100]!r}", verb.__name__
        if isinstance(verb, command) and (found := ESCAPE.search(text)):
            return f"U+{ord(found.group()):04X} is printed", f"{verb.__name__}: {text[: found.start()][-60:]!r}"
    return None


def _where(error: BaseException, verb: Callable[[], Any]) -> str:
    """Return the last line of vadkit that was running, and the verb."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "vadkit" in frame.filename]
    ours = [frame for frame in frames if "site-packages" not in frame.filename and "/fuzz/" not in frame.filename]
    if not ours:
        return verb.__name__
    name = ours[-1].filename
    return f"{name[name.rindex('/vadkit') + 1 :]}:{ours[-1].lineno} ({verb.__name__})"


def _fresh(base: Path, canary: Path, work: Path, here: Path) -> None:
    for folder in (canary, work, here):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base / "seeds", work, symlinks=True)
    here.mkdir()
    (canary / "payload").mkdir(parents=True)
    (canary / "precious.txt").write_text("precious\n")
    (canary / "payload" / "v0.npy").write_bytes(b"precious, too")


def _snapshot(*folders: Path) -> dict[str, str]:
    found = {}
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
            found[str(path.relative_to(folder.parent))] = digest
    return found


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Bound the memory of this process, and the time of a verb by SIGALRM."""

    def ring(*_: Any) -> None:
        raise Hangs(f"it took more than {SECONDS} s")

    old, (soft, hard) = signal.signal(signal.SIGALRM, ring), resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.path.exists("/proc/self/statm") else None
    if pages is not None:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, old)
