"""Many videos, many calls, one folder: what is skipped, what is scored again, and what is reported."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from clips import alarm, make_clip
from models import RECIPES, write_model

import vadkit
from vadkit.cli import main
from vadkit.files import PREFIX, replacing
from vadkit.predict import Outcome, predict, predict_videos
from vadkit.predict.all_results import AllResults
from vadkit.predict.result_files import finished
from vadkit.predict.result_names import result_names, shared_names
from vadkit.predict.system import _notices, load_system

pytestmark = pytest.mark.guards("3")

ACCENT = "caf\u00e9"
NOTICE = "the features are of rendered clips: they mean little"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.safetensors")


def clip(path: Path, seconds: float = 1, end: float = 9) -> Path:
    return make_clip(path, sound=None, seconds=seconds, colour=alarm(0, end))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.entry.status for outcome in outcomes]


def test_finished_videos_are_skipped_and_changed_ones_done_again(tmp_path: Path, model: Path) -> None:
    videos, out = [clip(tmp_path / f"{name}.mp4") for name in "ab"], tmp_path / "out"
    predict(videos, model, out)
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir() if p.stem in "ab"}
    assert statuses(predict(videos, model, out)) == ["skipped", "skipped"]
    assert {p.name: p.stat().st_mtime_ns for p in out.iterdir() if p.stem in "ab"} == before
    clip(videos[0], seconds=2)
    assert statuses(predict(videos, model, out)) == ["scored", "skipped"]
    assert read(out / "a.json")["video"]["duration"] == 2
    assert statuses(predict(videos, model, out, overwrite=True)) == ["scored", "scored"]


@pytest.mark.parametrize("what", ["threshold", "model", "embed", "page", "table", "time"])
def test_results_that_no_longer_hold_are_computed_again(tmp_path: Path, model: Path, what: str) -> None:
    video, out = clip(tmp_path / "a.mp4"), tmp_path / "out"
    predict([video], model, out)
    more: dict[str, Any] = {"threshold": {"threshold": 0.7}, "embed": {"embed": True}}.get(what, {})
    if what == "model":
        model = write_model(tmp_path / "other.safetensors", about="another one")
    elif what == "time":
        os.utime(video, (1, 1))
    elif what in ("page", "table"):
        (out / {"page": "a.html", "table": "a.csv"}[what]).unlink()
    assert statuses(predict([video], model, out, **more)) == ["scored"]
    assert statuses(predict([video], model, out, **more)) == ["skipped"]


def test_a_page_whose_copy_of_the_video_is_gone_is_written_again(tmp_path: Path, model: Path) -> None:
    video = make_clip(tmp_path / "a.avi", sound=None, seconds=1, video="mpeg4")
    predict([video], model, tmp_path / "out")
    (tmp_path / "out" / "a.preview.mp4").unlink()
    assert statuses(predict([video], model, tmp_path / "out")) == ["scored"]
    assert (tmp_path / "out" / "a.preview.mp4").exists()


def test_the_index_grows_over_calls_sorted_by_score_with_ways_there_and_back(tmp_path: Path, model: Path) -> None:
    out = tmp_path / "out"
    predict([clip(tmp_path / "calm.mp4", end=0)], model, out)
    predict([clip(tmp_path / "red.mp4")], model, out)
    predict([tmp_path / "calm.mp4"], model, out)
    entries = read(out / "summary.json")["videos"]
    assert [entry["name"] for entry in entries] == ["red", "calm"]
    assert entries[0]["top"] > 0.9 > entries[1]["top"] and len(entries[0]["events"]) == 1
    page = (out / "index.html").read_text()
    assert re.findall(r'<a href="([^"]+)"', page) == ["./red.html", "./calm.html"]
    for name in ("red", "calm"):
        assert (out / f"{name}.html").read_text().count('href="index.html"') == 2  # above and below


def test_videos_of_one_name_are_told_apart_in_one_call_and_over_calls(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    first, second, third = (
        clip(tmp_path / folder / "x.mp4", end=end) for folder, end in (("a", 9), ("b", 0), ("c", 9))
    )
    arguments = ["--model", str(model), "--out", str(out)]
    assert main(["predict", str(second), *arguments]) == 0
    assert main(["predict", str(first), str(second), str(third), *arguments]) == 0
    said = f"3 videos are called x: their results are x-2 (of {first}), x (of {second}), x-3 (of {third})"
    assert said in capsys.readouterr().out
    assert [read(out / f"{name}.json")["video"]["file"] for name in ("x", "x-2", "x-3")] == [
        str(second),
        str(first),
        str(third),
    ]
    page = (out / "index.html").read_text()
    assert all(str(path) in page for path in (first, second, third))  # the name alone is not enough


def test_names_that_differ_in_case_or_in_how_an_accent_is_composed_are_told_apart() -> None:
    decomposed = unicodedata.normalize("NFD", ACCENT)
    paths = [Path(f"{folder}/{name}.mp4") for folder, name in [("a", ACCENT), ("b", decomposed), ("c", ACCENT.upper())]]
    assert result_names(paths) == [ACCENT, f"{decomposed}-2", f"{ACCENT.upper()}-3"]
    assert result_names([Path("summary.mp4"), Path("Index.mp4")]) == ["summary-2", "Index-2"]


def test_a_note_on_many_videos_of_one_name_is_short() -> None:
    videos = [Path(f"{i}/clip.mp4") for i in range(500)]
    (note,) = shared_names(videos, result_names(videos))
    assert note.startswith("500 videos are called clip: their results are clip (of 0/clip.mp4), clip-2 (of 1/clip.mp4)")
    assert note.endswith("clip-4 (of 3/clip.mp4), ...")


def test_a_name_of_a_video_that_is_gone_is_free_again(tmp_path: Path) -> None:
    here = clip(tmp_path / "x.mp4")
    assert result_names([here], {"x": tmp_path / "gone" / "x.mp4"}) == ["x"]
    other = clip(tmp_path / "b" / "x.mp4")
    assert result_names([here], {"X": other}) == ["x-2"]
    assert result_names([other], {"X": other}) == ["X"]


def test_a_bad_path_does_not_stop_the_rest(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, out = clip(tmp_path / "a.mp4"), tmp_path / "out"
    (tmp_path / "empty").mkdir()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nowhere.mp4")
    bad = [tmp_path / "none.mp4", tmp_path / "empty", tmp_path / "link.mp4"]
    arguments = ["predict", *map(str, [bad[0], good, *bad[1:]]), "--model", str(model), "--out", str(out)]
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert f"there is no video {bad[0]}" in errors and f"{bad[2]} is a broken link to" in errors
    assert f"the folder {bad[1]} holds no video" in errors
    entries = read(out / "summary.json")["videos"]
    assert [(e["status"], e["file"]) for e in entries] == [("scored", str(good))] + sorted(
        ("failed", str(path)) for path in bad
    )
    assert "Traceback" not in errors and "there is no video" in (out / "index.html").read_text()
    assert main(["predict", str(good), "--model", str(model), "--out", str(out)]) == 0
    left = [entry["file"] for entry in read(out / "summary.json")["videos"]]
    assert str(bad[0]) not in left  # a slip of the keyboard does not stay on the index


def test_json_alone_is_printed_and_quiet_prints_nothing(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"")
    videos = [str(clip(tmp_path / "a.mp4")), str(tmp_path / "broken.mp4")]
    arguments = ["predict", *videos, "--model", str(model), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--json"]) == 1
    printed = capfd.readouterr()
    report = json.loads(printed.out)
    assert [(v["status"], v["file"]) for v in report["videos"]] == [("scored", videos[0]), ("failed", videos[1])]
    assert (report["scored"], report["skipped"], report["failed"]) == (1, 0, 1)
    assert report["videos"][0]["events"][0]["start"] == 0 and "broken.mp4" in printed.err
    assert main([*arguments, "--quiet"]) == 1
    printed = capfd.readouterr()
    assert printed.out == "" and "broken.mp4 is empty" in printed.err
    assert main([*arguments[:2], *arguments[3:], "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["skipped"] == 1


def test_equal_notes_are_printed_once_with_a_count(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = [str(make_clip(tmp_path / f"{name}.avi", sound=None, seconds=1, video="mpeg4")) for name in "ab"]
    assert main(["predict", *videos, "--model", str(model), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("plays a copy") == 1 and "note (2 videos): The page plays a copy" in printed
    assert (tmp_path / "out" / "index.html").read_text().count("plays a copy") == 1


def test_an_interrupt_leaves_what_was_finished(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos, out = [clip(tmp_path / f"{name}.mp4") for name in "abc"], tmp_path / "out"
    score = predict_videos.score_video

    def stopped(system: Any, video: Path, *rest: Any) -> Any:
        if video.stem == "b":
            raise KeyboardInterrupt
        return score(system, video, *rest)

    monkeypatch.setattr(predict_videos, "score_video", stopped)
    with pytest.raises(KeyboardInterrupt):
        predict(videos, model, out)
    written = sorted(path.name for path in out.glob("[!.]*"))
    assert written == ["a.csv", "a.html", "a.json", "index.html", "summary.json"]
    assert list(out.glob(".vadkit-*")) == []
    assert [entry["name"] for entry in read(out / "summary.json")["videos"]] == ["a"]
    monkeypatch.undo()
    assert statuses(predict(videos, model, out)) == ["skipped", "scored", "scored"]


def test_results_that_a_kill_kept_from_the_summary_are_found_again(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    predict([clip(tmp_path / "a.mp4")], model, out)
    with monkeypatch.context() as patch:  # as after a kill: the results of b are whole, the summary is an old one
        patch.setattr(AllResults, "write", lambda self: None)
        predict([clip(tmp_path / "b.mp4", end=0)], model, out)
    assert [entry["name"] for entry in read(out / "summary.json")["videos"]] == ["a"]
    assert statuses(predict([tmp_path / "a.mp4"], model, out)) == ["skipped"]
    assert [entry["name"] for entry in read(out / "summary.json")["videos"]] == ["a", "b"]
    (out / "summary.json").unlink()
    assert statuses(predict([tmp_path / "b.mp4"], model, out)) == ["skipped"]
    assert [entry["name"] for entry in read(out / "summary.json")["videos"]] == ["a", "b"]


def test_damaged_results_do_not_hold(tmp_path: Path, model: Path) -> None:
    video, out = clip(tmp_path / "a.mp4"), tmp_path / "out"
    predict([video], model, out)
    system = load_system(model, "cpu")
    assert finished(out, "a", video, system, False) is not None
    whole = (out / "a.json").read_text()
    for damage in ("", "[]", whole[:-100], whole.replace('"scores"', '"sores"'), whole.replace('"peak"', '"pique"')):
        (out / "a.json").write_text(damage)
        assert finished(out, "a", video, system, False) is None


def test_temporary_files_of_a_killed_call_go(tmp_path: Path, model: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    left = out / f"{PREFIX}left.mp4"
    left.write_bytes(b"half")
    with replacing(out / "held.json") as held:
        held.write_bytes(b"half")
        predict([clip(tmp_path / "a.mp4")], model, out)
        assert held.exists() and not left.exists()


@pytest.mark.guards("D5")
@pytest.mark.parametrize("name", ["a.csv", "a.html", "a.json", "index.html", "summary.json"])
def test_files_of_the_user_are_not_replaced(
    tmp_path: Path, model: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    video = clip(tmp_path / "a.mp4")
    (tmp_path / name).write_text('{"mine": 1}')
    assert main(["predict", str(video), "--model", str(model), "--out", str(tmp_path)]) == 2
    assert f"{tmp_path / name} exists and was not written by vadkit" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == '{"mine": 1}'


def test_workers_write_the_same(tmp_path: Path, model: Path) -> None:
    videos = [clip(tmp_path / f"{name}.mp4", end=end) for name, end in (("a", 0.5), ("b", 0))]
    (tmp_path / "none.mp4").write_bytes(b"")
    outcomes = predict([*videos, tmp_path / "none.mp4"], model, tmp_path / "two", workers=1)
    assert statuses(outcomes) == ["scored", "scored", "failed"]
    assert [outcome.video.stem for outcome in outcomes] == ["a", "b", "none"]
    predict([*videos, tmp_path / "none.mp4"], model, tmp_path / "one")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.guards("2.5")
def test_what_a_model_was_trained_on_is_said_on_every_page_in_json_and_on_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, said = write_model(tmp_path / "m.safetensors", extra={"recipes": RECIPES, "notice": NOTICE}), NOTICE
    videos, out = [str(clip(tmp_path / f"{name}.mp4")) for name in "ab"], tmp_path / "out"
    assert main(["predict", *videos, "--model", str(model), "--out", str(out)]) == 0
    assert said in capsys.readouterr().out
    for name in ("a", "b"):
        data = read(out / f"{name}.json")
        assert said in data["notice"] and any(said in text for text in data["warnings"])
        assert (out / f"{name}.html").read_text().count(said) == 1
    assert (out / "index.html").read_text().count(said) == 1
    assert all(said in entry["notice"] for entry in read(out / "summary.json")["videos"])
    found = vadkit.predict(videos[0], model=model, device="cpu")[0]
    assert said in (found.notice or "")
    assert (found.skipped, found.files) == (False, ())


def test_random_weights_are_a_notice_too() -> None:
    (said,) = _notices({"extra": {}}, {"rgb": {"weights": "random"}})
    assert said.startswith("The features of input 'rgb' are of networks with random weights")


def test_frames_of_the_file_are_stated_next_to_those_sampled(tmp_path: Path) -> None:
    recipe = {"rgb": {**RECIPES["rgb"], "fps": 4.0}}
    model = write_model(tmp_path / "m.safetensors", extra={"recipes": recipe})
    predict([clip(tmp_path / "a.mp4", seconds=3)], model, tmp_path / "out")
    video = read(tmp_path / "out" / "a.json")["video"]
    assert (video["fps"], video["num_frames"]) == (8, 24)
    assert (video["sampled_fps"], video["sampled_frames"]) == (4, 12)
    page = (tmp_path / "out" / "a.html").read_text()
    assert "8 frames/s, 24 frames in the file; sampled at 4 frames/s: 12 frames" in page
