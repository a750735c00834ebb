"""``--clicks``: the table of GlanceVAD's authors, one of your own, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layouts import UCF, XD, Opened, numbers, save, snippets, some

Run = Callable[..., dict[str, Any]]
Refused = Callable[..., str]


def table(folder: Path, text: str) -> list[str]:
    folder.mkdir(exist_ok=True)
    (folder / "clicks.csv").write_text(text)
    return ["--clicks", str(folder / "clicks.csv")]


def published(root: Path, data_set: str, names: tuple[str, ...]) -> None:
    for video in some(data_set, names):
        save(root / "RGB" / f"{video.name}__0.npy", numbers(video.name, snippets(video), 8))


def own(root: Path) -> None:
    for label, name in (("abnormal", "lift"), ("abnormal", "shop"), ("normal", "yard")):
        save(root / "train" / label / f"{name}.npy", numbers(name, 9, 8))


def test_the_form_of_the_authors(root: Path, tmp_path: Path, run: Run, opened: Callable[[], Opened]) -> None:
    published(root, "ucf_crime", UCF)
    rows = "video-id,glance\nAbuse001_x264,1047\nAbuse001_x264,299\nAbuse002_x264,86\n"
    said = run("ucf_crime", *table(tmp_path, rows))
    assert said["clicks"] == 2
    assert opened().videos["Abuse001_x264"].clicks == (299, 1047)
    assert opened().videos["Normal_Videos001_x264"].clicks == ()
    assert not any("unknown video" in note for note in said["notes"])  # Abuse002 is known, only its features are not


def test_names_of_xd_violence(root: Path, tmp_path: Path, run: Run, opened: Callable[[], Opened]) -> None:
    published(root, "xd_violence", XD)
    run("xd_violence", *table(tmp_path, f"video-id,glance\n{XD[0]},357\nno.such.film_label_B1-0-0,3\n"))
    assert opened().videos[XD[0]].clicks == (357,)


def test_a_later_import_keeps_them(root: Path, tmp_path: Path, run: Run, opened: Callable[[], Opened]) -> None:
    own(root)
    run("own", *table(tmp_path, "video,click\nlift.mp4,40\n"))
    run("own", "--merge")
    assert opened().videos["lift"].clicks == (40,)
    run("own", "--merge", *table(tmp_path, "video,click\nlift,41\n"))
    assert opened().videos["lift"].clicks == (41,)


def test_seconds(root: Path, tmp_path: Path, run: Run, opened: Callable[[], Opened]) -> None:
    own(root)
    said = run("own", *table(tmp_path, "video;click;fps\nlift;4.5s;20\nshop;12;\n"))
    assert said["clicks"] == 2
    assert opened().videos["lift"].clicks == (90,)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("video,moment\nlift,3\n", "there is no column 'moment'"),
        ("video\nlift\n", "the first line has no column 'click'"),
        ("video,click\n", "lists no click"),
        ("video,click\nlift,early\n", "'early' is no click"),
        ("video,click\nlift,4.5\n", "a click is a whole frame, such as 120, or a time with an s after it"),
        ("video,click\nlift,4s\n", "the click is in seconds, which needs the column fps"),
        ("video,click,fps\nlift,4s,zero\n", "fps 'zero' is not a number above 0"),
        ("video,click\nyard,4\n", "video 'yard' is normal, but has a click"),
        ("video,click\nlfit,4\n", "did you mean 'lift'?"),
        ("video,click\n,4\n", "the line has no video name"),
    ],
)
def test_what_is_refused(root: Path, tmp_path: Path, refused: Refused, rows: str, says: str) -> None:
    own(root)
    assert says in refused("own", *table(tmp_path, rows))


def test_a_click_after_the_end(root: Path, tmp_path: Path, refused: Refused, run: Run) -> None:
    published(root, "ucf_crime", UCF)
    video = "Abuse028_x264"
    frames = some("ucf_crime", (video,))[0].frames
    assert frames is not None
    rows = f"video-id,glance\n{video},{frames + 99}\n"
    assert f"after the last of {frames} frames" in refused("ucf_crime", *table(tmp_path, rows))
    run("ucf_crime", *table(tmp_path, f"video-id,glance\n{video},{frames + 3}\n"))  # in a last snippet, filled up
