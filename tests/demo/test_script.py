"""What the rendered clips are: decided by one seed, alike but for the anomaly, real files with picture and sound."""

from __future__ import annotations

import subprocess
import sys

import av
import numpy as np
import pytest

from vadkit.demo.noises import RATE
from vadkit.demo.render import Stage, render
from vadkit.demo.scenery import HEIGHT, WIDTH
from vadkit.demo.script import FPS, KINDS, SECONDS, write_script


def first(kind):
    return next(clip for clip in write_script() if clip.kind == kind)


def test_one_seed_decides_all_and_another_something_else():
    assert write_script() == write_script()
    assert [clip.frames for clip in write_script(8)] != [clip.frames for clip in write_script()]


def test_every_kind_is_in_both_splits_and_names_are_unique():
    clips = write_script()
    assert {(clip.split, clip.kind) for clip in clips} == {(s, k) for s in ("train", "test") for k in KINDS}
    assert len({clip.name for clip in clips}) == len(clips)
    for split in ("train", "test"):
        cameras = {kind: {c.camera for c in clips if (c.split, c.kind) == (split, kind)} for kind in KINDS}
        assert all(seen == {0, 1, 2, 3} for seen in cameras.values())  # no camera tells a label


def test_intervals_lie_inside_and_normal_clips_have_none():
    for clip in write_script():
        assert SECONDS[0] * FPS - 1 <= clip.frames <= SECONDS[1] * FPS + 1
        assert (clip.span is None) == (clip.kind == "normal")
        if clip.span:
            assert 0 < clip.span[0] < clip.span[1] < clip.frames


@pytest.mark.parametrize("kind", ["fire", "fight", "gunshots"])
def test_an_anomaly_shows_where_it_is_said_to_and_nowhere_else(kind):
    """The same clip with and without its anomaly, before any encoding."""
    clip = first(kind)
    calm = Stage(type(clip)(**{**clip.__dict__, "kind": "normal", "span": None}))
    stage = Stage(clip)
    start, end = clip.span
    middle = (start + end) // 2
    for s in (stage, calm):
        s.rng = np.random.default_rng(0)  # the same grain
    pictures_differ = np.abs(stage.frame(middle).astype(int) - calm.frame(middle)).max() > 20
    sounds_differ = not np.array_equal(stage.sound, calm.sound)
    assert (pictures_differ, sounds_differ) == {
        "fire": (True, False),
        "fight": (True, False),
        "gunshots": (False, True),
    }[kind]
    for s in (stage, calm):
        s.rng = np.random.default_rng(0)
    before = max(start - 2, 0)
    assert np.array_equal(stage.frame(before), calm.frame(before))
    heard = np.flatnonzero(stage.sound != calm.sound) / RATE * FPS
    assert not len(heard) or (heard.min() >= start - 1 and heard.max() <= end + 1)


def test_the_file_is_real_video_with_sound(tmp_path):
    clip = first("explosion")
    render(clip, tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    with av.open(str(tmp_path / "clip.mp4")) as media:
        assert media.streams.video[0].codec_context.name == "h264"
        assert media.streams.audio[0].codec_context.name == "aac"
        pictures = [frame.to_ndarray(format="rgb24") for frame in media.decode(video=0)]
    assert len(pictures) == clip.frames and pictures[0].shape == (HEIGHT, WIDTH, 3)
    with av.open(str(tmp_path / "clip.mp4")) as media:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in media.decode(audio=0)])
    assert abs(len(sound) / RATE - clip.frames / FPS) < 0.2
    blast = sound[round(clip.span[0] / FPS * RATE) :][: RATE // 2]
    assert np.abs(blast).max() > 3 * np.abs(sound[: RATE // 2]).mean()


def test_a_render_that_fails_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(Stage, "frame", lambda self, number: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        render(first("normal"), tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


RENDER = """
import hashlib, sys
from pathlib import Path
from vadkit.demo.render import render
from vadkit.demo.script import write_script
clips = {clip.name: clip for clip in write_script()}
for name in sys.argv[2:]:
    for _ in range(4):
        file = Path(sys.argv[1]) / f"{name}.mp4"
        render(clips[name], file)
        print(name, hashlib.sha256(file.read_bytes()).hexdigest())
"""


@pytest.mark.guards("D4", "4")
def test_a_clip_is_the_same_bytes_each_time(tmp_path):
    """Eight times each, in two processes: x264's macroblock tree, for one, is not deterministic."""
    names = ["test_fight_01", "test_explosion_00", "train_normal_00"]
    lines = []
    for process in ("a", "b"):
        (tmp_path / process).mkdir()
        command = [sys.executable, "-c", RENDER, str(tmp_path / process), *names]
        lines += subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines()
    assert len(lines) == 8 * len(names)
    assert len(set(lines)) == len(names), "some clip has other bytes than before"
