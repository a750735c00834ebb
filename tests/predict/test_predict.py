from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from clips import alarm, make_clip
from models import write_model

from vadkit.cli import main
from vadkit.predict import predict, result_files
from vadkit.problems import Problem, VadkitError
from vadkit.results_folder import RECORD

UNUSUAL = "50% of #1 <script>alert(1)> \u00e9"


@dataclass
class Run:
    """One call of the command line over a folder of good, unusual and broken videos."""

    code: int
    out: Path
    videos: Path
    printed: str
    errors: str

    def data(self, name: str) -> dict[str, Any]:
        return json.loads((self.out / f"{name}.json").read_text())  # type: ignore[no-any-return]

    def page(self, name: str) -> str:
        return (self.out / f"{name}.html").read_text()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("predict")
    videos, out = folder / "videos", folder / "out"
    make_clip(videos / "plain.mp4")
    make_clip(videos / (UNUSUAL + ".mp4"))
    make_clip(videos / "old.avi", video="mpeg4", audio="mp3")
    make_clip(videos / "nosound.mp4", sound=None)
    make_clip(videos / "silent.mp4", sound="silence")
    make_clip(videos / "one.mp4", seconds=1 / 8, sound=None)
    make_clip(videos / "vfr.mp4", times=[0, 0.1, 0.2, 1, 1.1, 2, 2.2, 3, 4, 5, 5.1, 5.9])
    make_clip(videos / "z" / "plain.mp4", colour=alarm(0, 1))
    whole = make_clip(
        folder / "whole.mp4", 20, lambda t: (int(t * 12) % 255, 60, 60), options={"movflags": "+faststart"}
    ).read_bytes()
    (videos / "cut.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    (videos / "noindex.mp4").write_bytes((videos / "plain.mp4").read_bytes()[:3000])
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "text.mp4").write_text("no video")
    model = write_model(folder / "model.safetensors", audio=True)
    printed, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(errors):
        code = main(["predict", str(videos), "--model", str(model), "--out", str(out)])
    return Run(code, out, videos, printed.getvalue(), errors.getvalue())


def test_good_videos_are_done_broken_ones_are_listed_and_the_exit_code_says_so(run: Run) -> None:
    assert run.code == 1
    pages = {p.stem for p in run.out.glob("*.html")}
    unusual = next(name for name in pages if name.startswith("50%"))
    good = {"plain", "plain-2", "old", "nosound", "silent", "one", "vfr", "cut", unusual}
    assert pages == good | {"index"}
    assert {p.stem for p in run.out.glob("*.csv")} == good
    assert {p.stem for p in run.out.glob("*.json")} == good | {"summary"}
    for name, cause in [("empty", "empty"), ("noindex", "cut short"), ("text", "cannot be read as a video")]:
        assert f"{name}.mp4" in run.errors
        assert cause in run.errors
        assert f"{name}.mp4" in run.page("index")
    assert "Traceback" not in run.errors + run.printed
    assert [p.name for p in run.out.iterdir() if p.name.startswith(".")] == [RECORD]


def test_the_alarm_is_found_where_it_is(run: Run) -> None:
    data = run.data("plain")
    assert [(e["start"], e["end"]) for e in data["events"]] == [(2.0, 4.0)]
    assert data["events"][0]["peak"] == max(s["score"] for s in data["scores"])
    scores = data["scores"]
    assert [s["start"] for s in scores] == [0.5 * i for i in range(12)]
    assert [s["end"] for s in scores] == [0.5 * i for i in range(1, 13)]
    assert all((s["score"] >= 0.5) == (2 <= s["start"] < 4) for s in scores)
    assert [(e["start"], e["end"]) for e in run.data("plain-2")["events"]] == [(0.0, 1.0)]


def test_the_json_says_how_it_was_made(run: Run) -> None:
    data = run.data("plain")
    assert data["vadkit_predict"] == 1
    assert data["warnings"] == []
    video = data["video"]
    assert (video["duration"], video["fps"], video["num_frames"]) == (6.0, 8.0, 48)
    assert (video["video_codec"], video["audio_codec"], video["audio"]) == ("h264", "aac", "present")
    assert re.fullmatch("[0-9a-f]{64}", data["model"]["sha256"])
    assert data["model"]["about"] == "red and loud are an alarm"
    assert data["recipe"]["rgb"]["snippet_frames"] == 4
    assert {"vadkit", "torch", "av"} <= set(data["versions"])


def test_the_csv_holds_the_same_figures(run: Run) -> None:
    with (run.out / "plain.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["start", "end", "score", "contribution_rgb", "contribution_audio"]
    for row, entry in zip(rows, run.data("plain")["scores"], strict=True):
        assert (float(row["start"]), float(row["end"]), float(row["score"])) == (
            entry["start"],
            entry["end"],
            entry["score"],
        )
        assert float(row["contribution_audio"]) == entry["contributions"]["audio"]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("nosound", "the stream audio holds the features of silence"),
        ("silent", "silent"),
        ("one", "only one snippet"),
        ("vfr", "frame rate varies"),
        ("cut", "cut short"),
        ("old", "plays a copy"),
    ],
)
def test_what_is_unusual_is_noted_in_json_on_the_page_and_in_the_terminal(run: Run, name: str, note: str) -> None:
    assert any(note in text for text in run.data(name)["warnings"])
    assert note in run.page(name)
    assert note in run.printed


def test_sound_is_present_silent_or_missing(run: Run) -> None:
    said = {name: run.data(name)["video"]["audio"] for name in ("plain", "silent", "nosound")}
    assert said == {"plain": "present", "silent": "silent", "nosound": "missing"}


def test_one_frame_gives_one_score_and_no_contribution(run: Run) -> None:
    data = run.data("one")
    assert [(s["start"], s["end"]) for s in data["scores"]] == [(0.0, 0.125)]
    assert data["scores"][0]["contributions"] == {"rgb": 0.0, "audio": 0.0}


def test_scores_reach_the_end_of_every_video(run: Run) -> None:
    for name in ("plain", "vfr", "cut", "old", "one"):
        data = run.data(name)
        assert data["scores"][-1]["end"] == pytest.approx(data["video"]["duration"], abs=1e-3)
        ends = [s["end"] for s in data["scores"]]
        assert [s["start"] for s in data["scores"]] == [0.0, *ends[:-1]]


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            assert not key.startswith("on"), "no event handlers in markup"
            if key in ("src", "href") and value:
                self.targets.append(value)


def test_every_link_leads_to_a_file_and_nothing_leads_outside(run: Run) -> None:
    for path in run.out.glob("*.html"):
        links = Links()
        links.feed(path.read_text())
        for target in links.targets:
            assert not re.match(r"(https?:)?//", target)
            if not target.startswith(("data:", "#")):
                assert (run.out / unquote(target.split("#")[0])).is_file(), (path.name, target)


def test_evil_names_are_text_on_every_page(run: Run) -> None:
    for path in run.out.glob("*.html"):
        links = Links()
        links.feed(path.read_text())
        # The data and the player; nothing that came from a file name.
        assert links.tags.count("script") == (0 if path.name == "index.html" else 2)
    assert "&lt;script&gt;alert(1)&gt;" in run.page("index")


def test_figures_are_on_the_page_without_any_script(run: Run) -> None:
    text = re.sub(r"(?s)<script>.*?</script>", "", run.page("plain"))
    assert text.count('class="curve"') == 3  # score, rgb, audio
    assert text.count('class="wave"') == 1
    assert "its mean over the calmer half of the video" in text


def test_a_second_run_writes_the_same(run: Run, tmp_path: Path) -> None:
    model = run.out.parent / "model.safetensors"
    for _ in range(2):
        outcome = predict([run.videos / "plain.mp4"], model, tmp_path)[0]
        assert outcome.error is None
    assert (tmp_path / "plain.json").read_bytes() == (run.out / "plain.json").read_bytes()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.safetensors")


def test_a_threshold_given_is_used(tmp_path: Path, model: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=None)
    predict([clip], model, tmp_path / "out", threshold=0.999)
    data = json.loads((tmp_path / "out" / "a.json").read_text())
    assert (data["threshold"], data["events"]) == (0.999, [])


def test_embedding_puts_the_video_into_the_page(tmp_path: Path, model: Path) -> None:
    make_clip(tmp_path / "a.mp4", sound=None, seconds=1)
    make_clip(tmp_path / "b.avi", sound=None, seconds=1, video="mpeg4")
    predict([tmp_path / "a.mp4", tmp_path / "b.avi"], model, tmp_path / "out", embed=True)
    for name in ("a", "b"):
        assert 'src="data:video/mp4;base64,AAAA' in (tmp_path / "out" / f"{name}.html").read_text()
    assert list((tmp_path / "out").glob("*.mp4")) == []


def test_results_next_to_the_videos_do_not_touch_them(tmp_path: Path, model: Path) -> None:
    clip = make_clip(tmp_path / "v" / "a.mkv", sound=None, seconds=1)
    before = clip.read_bytes()
    for _ in range(2):
        assert len(predict([tmp_path / "v"], model, tmp_path / "v")) == 1
    assert clip.read_bytes() == before
    assert (tmp_path / "v" / "a.preview.mp4").exists()


def test_an_unrelated_json_file_is_not_replaced(tmp_path: Path, model: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=None, seconds=1)
    (tmp_path / "a.json").write_text('{"labels": [1]}')
    outcome = predict([clip], model, tmp_path)[0]
    assert "was not written by vadkit" in str(outcome.error)
    assert (tmp_path / "a.json").read_text() == '{"labels": [1]}'


@pytest.mark.guards("D5", "4")
@pytest.mark.parametrize("name", ["a.csv", "a.html", "a.preview.mp4"])
def test_the_users_files_next_to_a_video_are_not_replaced(tmp_path: Path, model: Path, name: str) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=None, seconds=1)
    (tmp_path / name).write_text("mine")
    outcome = predict([clip], model, tmp_path)[0]
    assert f"{tmp_path / name} exists and was not written by vadkit" in str(outcome.error)
    assert (tmp_path / name).read_text() == "mine" and not (tmp_path / "a.json").exists()


@pytest.mark.guards("D5", "4")
def test_a_page_of_the_users_is_refused_before_anything_is_scored(tmp_path: Path, model: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=None, seconds=1)
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(VadkitError, match="index.html exists and was not written by vadkit"):
        predict([clip], model, tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine" and not (tmp_path / "a.json").exists()


def test_old_results_stay_if_new_ones_cannot_be_completed(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "a.avi", sound=None, seconds=1, video="mpeg4")
    predict([clip], model, tmp_path / "out")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.name != RECORD}

    def fails(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result_files, "video_page", fails)
    outcome = predict([clip], model, tmp_path / "out", threshold=0.9)[0]
    assert "No space left" in str(outcome.error)
    after = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.name != RECORD}
    for name in ("index.html", "summary.json"):
        assert "No space left" in after.pop(name).decode()
        before.pop(name)
    assert after == before


def test_a_copy_that_cannot_be_made_costs_only_the_picture(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise VadkitError([Problem("no encoder")])

    monkeypatch.setattr(result_files, "transcode", fails)
    clip = make_clip(tmp_path / "a.avi", sound=None, seconds=1, video="mpeg4")
    assert predict([clip], model, tmp_path / "out")[0].error is None
    assert "The page shows no video. no encoder" in (tmp_path / "out" / "a.html").read_text()
    assert list((tmp_path / "out").glob("*.mp4")) == []


def test_a_backbone_that_breaks_is_a_cause_not_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_model(tmp_path / "m.safetensors", inputs={"rgb": {"use": "clumsy"}})
    clip = make_clip(tmp_path / "a.mp4", sound=None, seconds=1)
    assert main(["predict", str(clip), "--model", str(model), "--out", str(tmp_path / "out")]) == 2
    errors = capsys.readouterr().err
    assert "a.mp4: RuntimeError: something gave way (vadkit_tiny_backbones.py, line " in errors
    assert "something gave way" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.mp4"], "there is no video nowhere.mp4"),
        (["{clip}", "--threshold", "2"], "are between 0 and 1"),
        (["{clip}", "--threshold", "much"], "--threshold much is not a number"),
        (["{clip}", "--device", "tpu9"], "device tpu9 cannot be used here"),
        (["{clip}", "--out", "{clip}"], "cannot write to the folder"),
        (["{clip}", "--model", "{clip}"], "is not a sound .safetensors file"),
        (["{clip}", "--model", "none.safetensors"], "there is no model file none.safetensors"),
    ],
)
def test_bad_input_is_refused(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=None, seconds=1)
    given = ["--model", str(model), "--out", str(tmp_path / "out"), *(w.format(clip=clip) for w in arguments)]
    assert main(["predict", *given]) == 2
    assert message in capsys.readouterr().err


def test_the_help_starts_without_torch() -> None:
    code = "import sys; from vadkit.cli import main; main(['predict', '--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("False")
    assert "--embed" in done.stdout
