"""The whole demo in its quick form, from the command line: files, figures, reuse, page."""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from chromium import Chromium
from page_checks import check_fits, check_print, check_without_scripts

from vadkit.cli import main
from vadkit.cli import predict as cli_predict
from vadkit.demo.baselines import baselines
from vadkit.demo.script import KINDS
from vadkit.demo.study import NOTICE, SYSTEMS
from vadkit.demo.study_table import rows, text
from vadkit.problems import as_sentence

QUICK = [sys.executable, "-m", "vadkit", "demo", "--quick", "--seeds", "1", "--out", "study"]


def run_quick(folder):
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(QUICK, cwd=folder, env=env, capture_output=True, text=True, timeout=900)


def table(printed):
    """Return the lines of the table, without the progress above it."""
    return [line for line in printed.splitlines() if line.startswith(("system ", "RGB"))]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    result = run_quick(folder)
    assert result.returncode == 0, result.stderr + result.stdout
    return folder, result.stdout


def test_it_prints_a_row_for_every_system_and_the_verdict(quick):
    _, printed = quick
    for system in SYSTEMS:
        assert any(line.startswith(system.title) for line in table(printed))
    assert "stream raises the mean AP" in printed
    assert "wrote study/index.html" in printed


def test_trainings_saw_no_interval_and_figures_are_of_the_test_clips(quick):
    folder, _ = quick
    videos = json.loads((folder / "study/features/videos.json").read_text())
    assert all(not video.get("spans") for video in videos if video["split"] == "train")
    assert any(video.get("spans") for video in videos if video["split"] == "test")
    study = json.loads((folder / "study/study.json").read_text())
    tested = {video["name"] for video in videos if video["split"] == "test"}
    for system in study["systems"]:
        (run,) = system["runs"]
        assert set(run["scores"]) == tested
        assert set(run["figures"]["per_class"]) == set(KINDS[1:])
        assert 0 < run["figures"]["ap"] < 1


def test_a_second_run_reuses_what_is_finished(quick):
    folder, printed = quick
    patterns = ("videos/*", "features/*/*", "runs/*/*/*")
    files = [path for pattern in patterns for path in (folder / "study").glob(pattern)]
    before = {path: path.stat().st_mtime_ns for path in files}
    again = run_quick(folder)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert len(table(printed)) == 1 + len(SYSTEMS) and table(printed) == table(again.stdout)


@pytest.mark.guards("3")
def test_the_player_shows_a_clip_with_its_scores_and_events(quick):
    folder, _ = quick
    study = json.loads((folder / "study/study.json").read_text())
    (clip,) = study["pages"]  # one is enough to see that it works
    scores = study["systems"][-1]["runs"][0]["scores"][clip]
    with Chromium() as browser:
        browser.open(folder / "study/index.html")
        browser.wait("document.getElementById('video').readyState >= 1")
        assert browser.run("document.getElementById('video').getAttribute('src')") == f"./videos/{clip}.mp4"
        assert browser.run("document.querySelectorAll('.playhead').length") == 1
        browser.run("document.querySelector('#score .plot').dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}))")
        assert f"the score is {scores[-1]:.3f}" in browser.run("document.getElementById('now').textContent")
        browser.run(
            "(s => { s.value = 0; s.dispatchEvent(new Event('input')); })(document.getElementById('threshold'))"
        )
        shown = "[...document.querySelectorAll('#events tbody tr')].filter(row => row.offsetHeight).length"
        assert browser.run(shown) == 1
        links = browser.run("[...document.querySelectorAll('main a')].map(a => a.getAttribute('href').split('#')[0])")
        assert f"./pages/{clip}.html" in links
        assert all((folder / "study" / link).is_file() for link in links)
        assert browser.errors == []


@pytest.mark.guards("3")
def test_the_command_for_a_users_own_video_is_one_that_predict_takes(quick):
    folder, _ = quick
    page = (folder / "study/index.html").read_text()
    (command,) = re.findall(r'<pre class="command"><code>(.*?)</code>', page, re.DOTALL)
    arguments = shlex.split(html.unescape(command).replace("\\\n", " "))
    assert arguments[:2] == ["vadkit", "predict"]
    parser = argparse.ArgumentParser()
    cli_predict.add_arguments(parser)
    given = parser.parse_args(arguments[2:])
    assert (folder / given.model).is_file() and f"<code>{given.model}</code>" in page


@pytest.mark.guards("3")
def test_the_page_says_that_the_clips_are_rendered(quick):
    folder, _ = quick
    page = (folder / "study/index.html").read_text()
    notice = html.escape(as_sentence(NOTICE), quote=True).replace("&#x27;", "&#39;")
    assert page.index(notice) < page.index("<h2>")
    captions = [c for c in re.findall(r"<caption>(.*?)</caption>", page, re.DOTALL) if "Mean" in c]
    assert len(captions) == 1 and notice in captions[0] and "14 test clips (8 abnormal)" in captions[0]


@pytest.mark.guards("3")
def test_the_page_fits_a_phone_and_paper_and_needs_no_script(quick):
    folder, _ = quick
    check_fits(folder / "study/index.html")
    check_without_scripts(folder / "study/index.html", charts=2 + len(KINDS))
    check_print(folder / "study/index.html")


@pytest.mark.guards("3")
def test_what_is_known_without_looking_is_compared_with():
    clips = [
        {"name": "a", "kind": "fire", "frames": 80, "span": (10, 30)},
        {"name": "b", "kind": "normal", "frames": 120, "span": None},
    ]
    label, chance = (system["runs"][0]["figures"] for system in baselines(clips))
    assert label["ap"] == pytest.approx(20 / 80) == label["per_class"]["fire"]["ap"]
    assert label["auc"] == pytest.approx((120 + 60 / 2) / 180)
    assert (chance["ap"], chance["auc"]) == (pytest.approx(20 / 200), pytest.approx(0.5))


@pytest.mark.guards("3")
def test_cells_of_the_table_have_equal_decimals(quick):
    folder, _ = quick
    found = rows(json.loads((folder / "study/study.json").read_text()))
    assert list(found)[-2:] == ["label only", "chance"]
    cells = [text(value) for row in found.values() for value in row.values() if value]
    assert cells and all(re.fullmatch(r"[01]\.\d{3}( \+- [01]\.\d{3})?", cell) for cell in cells)


@pytest.mark.guards("D17", "5.7")
def test_state_that_is_damaged_or_deleted_is_reported_and_written_again(quick):
    """One run for all of it: a training that is gone, one whose scores are cut off, one whose model is cut off."""
    folder, printed = quick
    study, runs = folder / "study", folder / "study/runs"
    scores = [runs / system / "seed0/scores.json" for system in ("demo_rgb", "demo_rgb_flow", "demo_three_stream")]
    damaged = {study / "demo.json": b"5", study / "study.json": "folder", scores[1]: scores[1].read_bytes()[:-9],
               scores[1].with_name("result.json"): "folder", scores[2]: "pipe"}  # fmt: skip
    before = {path: json.loads(path.read_text()) for path in (study / "demo.json", *scores)}
    for name in ("scores.json", "result.json", "model.safetensors"):
        scores[0].with_name(name).unlink()
    for path, content in damaged.items():
        path.unlink()
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            os.mkfifo(path) if content == "pipe" else path.mkdir()
    model = scores[2].with_name("model.safetensors")
    model.write_bytes(model.read_bytes()[:-100])
    again = run_quick(folder)
    assert again.returncode == 0, again.stderr + again.stdout
    assert "Traceback" not in again.stderr and "demo.json: " in again.stdout and "scores.json: " in again.stdout
    assert "the clips are scored again" in again.stdout
    assert {path: json.loads(path.read_text()) for path in before} == before
    assert table(again.stdout) == table(printed)
    assert list(model.parent.glob("model.safetensors.*"))  # what was in its place is kept


@pytest.mark.guards("D4", "4")
def test_two_whole_demos_give_equal_tables(quick, thorough, tmp_path):
    if not thorough:
        pytest.skip("a second demo takes minutes; VADKIT_THOROUGH=1 runs it")
    folder, printed = quick
    again = run_quick(tmp_path)
    assert again.returncode == 0 and table(again.stdout) == table(printed)
    for path in sorted((folder / "study/videos").glob("*.mp4")):
        assert path.read_bytes() == (tmp_path / "study/videos" / path.name).read_bytes()


def test_the_page_is_drawn_in_a_browser(quick):
    folder, _ = quick
    with Chromium() as browser:
        browser.open(folder / "study/index.html")
        assert browser.run("document.querySelectorAll('.clips img').length") == len(KINDS)
        assert browser.run("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        wide = browser.run("[...document.querySelectorAll('svg')].filter(s => s.clientWidth > 300).length")
        assert wide == 2 + len(KINDS)
        links = browser.run("[...document.querySelectorAll('.clips a')].map(a => a.getAttribute('href'))")
        assert all((folder / "study" / link).is_file() for link in links)
        assert browser.screenshot().std() > 10
        assert browser.errors == []


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "holiday.txt").write_text("mine")
    assert main(["demo", "--quick", "--out", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


def test_another_study_is_not_mixed_in(quick, capsys):
    folder, _ = quick
    assert main(["demo", "--out", str(folder / "study")]) == 2
    assert "holds a study of other clips" in capsys.readouterr().err


def test_seeds_out_of_bounds(capsys, tmp_path):
    assert main(["demo", "--seeds", "0", "--out", str(tmp_path / "x")]) == 2
    assert "--seeds must be from 1 to 100" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
