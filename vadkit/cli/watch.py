"""Watch cameras and recordings with a trained model: events as they happen, with clips, to where they are wanted.

A SOURCE is a video file, a folder of them (watched in the order of their names), a USB camera (its number, or
/dev/video0) or an RTSP address; NAME=SOURCE names it. Secrets come from the environment ({NAME}) or a file
({file:PATH}): 'rtsp://{CAM_USER}:{CAM_PASS}@10.0.0.5/stream'. The log is DIR/events.jsonl, clips are in DIR/clips.

A camera that stops is tried again, later each time, and the others go on. If snippets are not scored in time, the
oldest waiting ones of that camera are dropped and counted. Ctrl-C ends it.

Exit code: 0 if it ended well or was ended, 1 if some sources could never be opened, 2 if none could."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vadkit.cli.options import add_device, add_weights, weight_files
from vadkit.problems import VadkitError, fail, plural

if TYPE_CHECKING:
    from vadkit.graph.module import VadModel
    from vadkit.graph.stepper import Stepper
    from vadkit.watch.cameras import Camera
    from vadkit.watch.events import Event, EventRule
    from vadkit.watch.run import Watch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", metavar="SOURCE", nargs="*", help="what to watch; NAME=SOURCE names it")
    parser.add_argument("--cameras", metavar="FILE", help="a list of cameras: YAML, or CSV with name,source")
    parser.add_argument(
        "--model", metavar="FILE", required=True, help="a model of vadkit train: its file, or the folder of the run"
    )
    parser.add_argument(
        "--out", metavar="DIR", default="watch", help="folder of the log and the clips (default: watch)"
    )
    parser.add_argument(
        "--sink",
        action="append",
        default=[],
        metavar="NAME[:arg=value,...]",
        help="where events go ('vadkit list sink' shows the names), or a YAML file of sinks; may be repeated",
    )
    parser.add_argument(
        "--rule",
        metavar="KEY=VALUE,...",
        default="",
        help="what an event is: on, off, least_s, cool_down_s, before_s, after_s, update_s (default: the model's)",
    )
    parser.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="score in a sliding window of N snippets, for graphs that are not causal",
    )
    parser.add_argument(
        "--page", nargs="?", type=int, const=0, metavar="PORT", help="show a page of the live state on this machine"
    )
    parser.add_argument(
        "--pace", type=float, metavar="X", help="read recordings at X times their speed (default: as fast as possible)"
    )
    parser.add_argument("--no-clips", action="store_true", help="write no clips")
    parser.add_argument(
        "--no-contributions",
        action="store_true",
        help="do not measure what each stream adds to a score, which runs the graph once more for each stream",
    )
    parser.add_argument(
        "--open-within",
        type=float,
        default=60.0,
        metavar="S",
        help="give up a camera that never opened within S seconds; another is tried permanently (default: 60)",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_weights(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    from vadkit.api.arguments import as_model
    from vadkit.plugin_manager import load_plugins
    from vadkit.predict.system import load_system
    from vadkit.watch.rule import rule_of
    from vadkit.watch.run import Listener, Settings, Watch
    from vadkit.watch.sink_options import build_sinks

    _check(args)
    cameras = _cameras(args)
    sinks = build_sinks(args.sink, load_plugins())
    system = load_system(as_model(args.model, "model"), args.device, weights=weight_files(args.weights))
    rule = rule_of(system, args.rule)
    settings = Settings(
        Path(args.out),
        rule,
        args.pace,
        clips=not args.no_clips,
        contributions=not args.no_contributions,
        patience=args.open_within,
    )
    shown = Shown(args.quiet, to_stderr=any(name.split("-")[0] == "stdout" for name in sinks))
    listener = Listener(event=shown.event, note=shown.note)
    watch = Watch(system, lambda: _stepper(system.model, args.window), cameras, settings, sinks, listener)
    shown.start(watch, rule)
    with _page(args.page, watch, shown):
        watch.run()
    shown.end(watch)
    return 1 if watch.failed and not watch.interrupted else 0


def _stepper(model: VadModel, window: int | None) -> Stepper:
    """Return a new stepper; what is wrong names the option."""
    from vadkit.api.stream import stream

    try:
        return stream(model, window)
    except VadkitError as error:
        hints = [problem.hint and problem.hint.replace("window=N", "--window N") for problem in error.problems]
        raise VadkitError([replace(p, hint=hint) for p, hint in zip(error.problems, hints)]) from error


def _check(args: argparse.Namespace) -> None:
    if not args.sources and not args.cameras:
        fail("vadkit watch: there is nothing to watch", "give a SOURCE, or a list of cameras with --cameras FILE")
    if args.pace is not None and not 0 < args.pace < 1e6:
        fail(f"--pace is {args.pace:g}; it must be above 0")
    if not 0 <= args.open_within < 1e9:
        fail(f"--open-within is {args.open_within:g}; it must be at least 0")


def _cameras(args: argparse.Namespace) -> list[Camera]:
    from vadkit.watch.camera_list import read_cameras
    from vadkit.watch.cameras import entry_of, find_cameras

    entries = [entry_of(text) for text in args.sources]
    return find_cameras([*entries, *(read_cameras(Path(args.cameras)) if args.cameras else [])])


def _page(port: int | None, watch: Watch, shown: Shown) -> contextlib.AbstractContextManager[object]:
    from vadkit.watch.page import Page

    if port is None:
        return contextlib.nullcontext()
    page = Page(watch.state, port)
    shown.line(f"page: {page.url}")
    return page


class Shown:
    """Prints what happens: a line per event, and notes. What is printed must not mix with a sink's lines."""

    def __init__(self, quiet: bool, to_stderr: bool) -> None:
        self.quiet, self.stream = quiet, sys.stderr if to_stderr else sys.stdout

    def line(self, text: str) -> None:
        if not self.quiet:
            self.stream.write(f"{text}\n")
            self.stream.flush()

    def start(self, watch: Watch, rule: EventRule) -> None:
        for camera in watch.cameras:
            self.line(f"{camera.name}: {camera.shown}")
        self.line(
            f"event: from a score of {rule.on:g} until below {rule.off:g}; log: {watch.settings.out}/events.jsonl"
        )
        for text in (*watch.system.notices, *watch.system.warnings, *watch.left_out):
            self.note(text)

    def event(self, event: Event) -> None:
        if event.state == "update":
            return
        length = f", {event.end_s - event.start_s:.1f} s" if event.state == "end" else ""
        word = {"new": "event begins", "end": "event ended"}[event.state]
        self.line(f"{event.source}: {word}, {moment_of(event.start_s)}{length}, highest score {event.peak:.3f}")

    def note(self, text: str) -> None:
        self.line(f"note: {text}")

    def end(self, watch: Watch) -> None:
        for problem in watch.failed:
            sys.stderr.write(f"{problem.render()}\n")
        dropped = sum(values["frames_dropped"] for values in (health.values() for health in watch.health.values()))
        self.line(f"{plural(watch.events, 'event')}; {plural(dropped, 'picture')} dropped")


def moment_of(seconds: float) -> str:
    """Return a time of a recording, or of the day."""
    if seconds < 1e8:
        return f"at {seconds:.1f} s"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
