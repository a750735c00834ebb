"""What can be watched, under which name, and that no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from vadkit.problems import VadkitError
from vadkit.watch.camera_list import read_cameras
from vadkit.watch.cameras import Camera, entry_of, find_cameras
from vadkit.watch.secrets import hide


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_USER", "anna")
    monkeypatch.setenv("CAM_PASS", "p@ss/w:rd")


def one(text: str) -> Camera:
    (camera,) = find_cameras([entry_of(text)])
    return camera


def test_an_address_is_filled_in_and_never_shown() -> None:
    camera = one("rtsp://{CAM_USER}:{CAM_PASS}@10.0.0.5:554/live/1")
    assert camera.url == "rtsp://anna:p%40ss%2Fw%3Ard@10.0.0.5:554/live/1"
    assert (camera.name, camera.kind, camera.is_live) == ("10_0_0_5_live_1", "rtsp", True)
    for shown in (repr(camera), camera.shown, camera.hide(f"cannot open {camera.url} as anna with p@ss/w:rd")):
        assert "anna" not in shown and "p@ss" not in shown and "p%40ss" not in shown, shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://anna:secret@host/1", "rtsp://***@host/1"),
        ("Could not open rtsps://a:b@host/1?x=1", "Could not open rtsps://***@host/1?x=1"),
        ("rtsp://host/1?user=anna&password=s3&channel=1", "rtsp://host/1?user=anna&password=***&channel=1"),
        ("rtsp://host/1", "rtsp://host/1"),
    ],
)
def test_a_login_is_hidden_in_any_text(text: str, shown: str) -> None:
    assert hide(text) == shown


def test_a_literal_login_is_hidden_too() -> None:
    camera = one("rtsp://anna:secret@host/1")
    assert camera.shown == "rtsp://***@host/1"
    assert "secret" not in camera.hide("the server said: secret is wrong")


def test_files_folders_and_names(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mkv", "note.txt"):
        (tmp_path / name).write_bytes(b"x")
    folder = one(str(tmp_path))
    assert (folder.kind, [p.name for p in folder.files]) == ("folder", ["a.mkv", "b.mp4"])
    assert one(f"hall={tmp_path / 'b.mp4'}").name == "hall"
    twice = find_cameras([entry_of(str(tmp_path / "b.mp4"))] * 2)
    assert [camera.name for camera in twice] == ["b", "b-2"]
    odd = tmp_path / "a=b.mp4"
    odd.write_bytes(b"x")
    assert one(str(odd)).name == "a_b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rtsp://{CAM_USR}:{CAM_PASS}@host/1", "the environment variable CAM_USR is not set"),
        ("http://host/1", "http addresses cannot be watched"),
        ("rtsp:///1", "names no host"),
        ("rtsp://host:99999/1", "is not an address"),
        ("/dev/video77", "there is no device /dev/video77"),
        ("77", "there is no device /dev/video77"),
        ("no_such.mp4", "there is no such file"),
        ("pipe:0", "neither a file nor an address"),
    ],
)
def test_what_cannot_be_watched_is_refused(text: str, words: str) -> None:
    with pytest.raises(VadkitError) as caught:
        one(text)
    assert words in str(caught.value)
    assert "p@ss" not in str(caught.value)


def test_all_wrong_sources_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(VadkitError) as caught:
        find_cameras([entry_of("none.mp4"), entry_of("ftp://x/y"), entry_of(str(tmp_path))])
    assert len(caught.value.problems) == 3


def test_a_secret_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p@ss\n")
    assert one(f"rtsp://anna:{{file:{tmp_path / 'secret'}}}@host/1").url == "rtsp://anna:p%40ss@host/1"


YAML = """
cameras:
  - {name: door, source: "rtsp://{CAM_USER}:{CAM_PASS}@10.0.0.5/1", sound: false, transport: udp}
  - source: rtsp://10.0.0.6/1
"""


def test_lists_of_cameras(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(YAML)
    (tmp_path / "c.csv").write_text(
        "name,source,sound,transport\ndoor,rtsp://{CAM_USER}:{CAM_PASS}@10.0.0.5/1,no,udp\n,rtsp://10.0.0.6/1,,\n"
    )
    for name in ("c.yaml", "c.csv"):
        door, other = find_cameras(read_cameras(tmp_path / name))
        assert (door.name, door.sound, door.transport, door.url.split("@")[1]) == ("door", False, "udp", "10.0.0.5/1")
        assert (other.name, other.sound, other.transport) == ("10_0_0_6_1", True, "tcp")


WRONG = """
cameras:
  - {name: "a/b", source: rtsp://me:secret@host/1}
  - {nane: door, source: rtsp://host/1}
  - {name: hall, sound: maybe, transport: smoke}
  - 5
more: 1
"""


def test_a_wrong_list_gets_every_problem_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(WRONG)
    with pytest.raises(VadkitError) as caught:
        read_cameras(path)
    text = str(caught.value)
    for words in (
        "may hold letters",
        "did you mean 'name'?",
        "has no source",
        "write true or false",
        "one of tcp, udp",
    ):
        assert words in text, text
    assert "unknown key 'more'" in text and "must be a mapping, got 5" in text
    assert f"{path}:3:5" in text and "secret" not in text
    path.write_text("cameras: []\n")
    with pytest.raises(VadkitError, match="lists no camera"):
        read_cameras(path)
    (tmp_path / "c.csv").write_text("name\ndoor\n")
    with pytest.raises(VadkitError, match="no column 'source'"):
        read_cameras(tmp_path / "c.csv")
