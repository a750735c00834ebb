"""The page of a rendered set: each scene with a picture from every camera, and its events on a time line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vadkit.demo.script import FPS
from vadkit.demo.still import still
from vadkit.problems import plural
from vadkit.rendered.generate import RenderedSet
from vadkit.rendered.plan import KINDS, SHOWS_IN, Recording
from vadkit.rendered.tables import LABELS
from vadkit.report import Stretch, TimeLine, render, time_lines

NOTICE = "These videos are rendered. A figure that is measured on them says little about real ones."


def gallery(rendered: RenderedSet) -> str:
    """Return the page of a set whose videos are finished, as HTML."""
    scenes = list(dict.fromkeys(recording.scene for recording in rendered.recordings))
    by_scene = [[r for r in rendered.recordings if r.scene == scene] for scene in scenes]
    return render(
        "rendered.html",
        notice=NOTICE,
        facts=_facts(rendered),
        rows=[_row(kind, rendered.recordings) for kind in KINDS],
        command=_command(),
        scenes=[_shown(rendered, own) for own in by_scene],
    )


def _command() -> str:
    return (
        f"vadkit extract --list {LABELS} \\\n  --config demo_three_stream --snippet 8 --out STORE\n"
        "vadkit train demo_rgb --data STORE \\\n  --set data.sampler.args.length=160 --out RUN"
    )


def _facts(rendered: RenderedSet) -> dict[str, str]:
    recordings, wanted = rendered.recordings, rendered.wanted
    seconds = sum(recording.seconds for recording in recordings)
    abnormal = sum(a.end - a.start for r in recordings for a in r.anomalies) / FPS
    train, test = (len({r.scene for r in recordings if r.split == split}) for split in ("train", "test"))
    return {
        "videos": f"{len(recordings)}, {seconds / 3600:.2f} hours in all",
        "normal": f"{sum(r.kind == 'normal' for r in recordings)} of them",
        "abnormal time": f"{100 * abnormal / seconds:.1f} %",
        "scenes": f"{train} for training, {test} for testing",
        "seed": str(wanted.seed),
    }


def _row(kind: str, recordings: Sequence[Recording]) -> dict[str, str]:
    row = {"anomaly": kind, "shows in": SHOWS_IN[kind]}
    for split in ("train", "test"):
        events = [a for r in recordings if r.split == split and r.kind == kind for a in r.anomalies]
        row[f"{split}: events"] = str(len(events))
        row[f"{split}: seconds"] = f"{sum(a.end - a.start for a in events) / FPS:.0f}"
    return row


def _shown(rendered: RenderedSet, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Return what the page shows of a scene."""
    scene, first = recordings[0].scene, recordings[0]
    where, cameras = "outdoors" if scene.outdoors else "indoors", sorted({r.camera for r in recordings})
    use = "testing" if first.split == "test" else "training"
    return {
        "name": scene.name.replace("_", " "),
        "about": f"For {use}, half {first.domain}; {where}, {plural(len(cameras), 'camera')}, "
        f"{scene.crowd:.1f} passers-by in the picture on average, reverberation of {scene.decay:.1f} s.",
        "pictures": [_picture(rendered, recordings, camera) for camera in cameras],
        "chart": time_lines([_line(recording) for recording in recordings]),
        "videos": [{"name": _number(r), "file": f"videos/{r.name}.mp4", "about": _about(r)} for r in recordings],
    }


def _picture(rendered: RenderedSet, recordings: Sequence[Recording], camera: int) -> dict[str, Any]:
    """Return a frame of a camera: of an anomaly, where it sees one."""
    own = [recording for recording in recordings if recording.camera == camera]
    chosen = next((recording for recording in own if recording.anomalies), own[0])
    happening = chosen.anomalies[0] if chosen.anomalies else None
    number = (happening.start + happening.end) // 2 if happening else chosen.frames // 2
    return {
        "file": f"videos/{chosen.name}.mp4",
        "at": f"{number / FPS:.1f}",
        "picture": still(rendered.file(chosen), number),
        "about": f"camera {camera}, {_about(chosen)}",
    }


def _about(recording: Recording) -> str:
    weather = f", {recording.weather}" if recording.scene.outdoors else ""
    return f"{recording.kind}: {recording.time}{weather}"


def _number(recording: Recording) -> str:
    return recording.name.rpartition("_")[2]


def _line(recording: Recording) -> TimeLine:
    stretches = [Stretch(a.kind, a.start / FPS, a.end / FPS) for a in recording.anomalies]
    stretches += [Stretch(d.kind, d.start / FPS, d.end / FPS, counts=False) for d in recording.distractors]
    return TimeLine(f"{_number(recording)} {recording.kind}", recording.seconds, stretches)
