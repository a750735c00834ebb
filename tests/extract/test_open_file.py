"""A file name is a file: no address, no protocol, no list of other files, no camera."""

from __future__ import annotations

import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from numbered_videos import shown, write

from vadkit.extract.open_file import open_input
from vadkit.predict.inputs import find_videos
from vadkit.problems import VadkitError

N = list(range(20))
ROOT = Path(__file__).parent.parent.parent
STRANGE = [
    "http:x.mp4",
    "https:x.mp4",
    "concat:a.mp4",
    "concat:a.mp4|b.mp4",
    "file:a.mp4",
    "crypto:a.mp4",
    "data:a.mp4",
    "subfile,,start,0,end,9,,:a.mp4",
    "pipe:0.mp4",
    "async:a.mp4",
    "cache:a.mp4",
    "tcp:1.mp4",
    "-",
    "-.mp4",
    "0",
    "img%03d.mp4",
    "a%d.avi",
    "a?b=c.mp4",
    "a#t=5.mp4",
    "*.mp4",
    "[1].mp4",
    " .mp4",
    "--help.mp4",
]


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(VadkitError) as caught:
        open_input(path)
    problem = caught.value.problems[0]
    return problem.message, problem.hint or ""


# -- names ----------------------------------------------------------------------------------------
@pytest.mark.guards("D2", "5.2")
@pytest.mark.parametrize("name", STRANGE)
def test_any_name_is_that_of_a_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.mp4", [7] * 20)  # what a protocol would find
    source = write(tmp_path / ("good.avi" if name.endswith("avi") else "good.mp4"), N)
    (tmp_path / name).write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert shown(Path(name))[1] == N
    assert shown(tmp_path / name)[1] == N


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A server that notes what is asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served.server_port, asked
        served.shutdown()


@pytest.mark.guards("D2", "5.2")
def test_no_request_leaves_the_machine(
    tmp_path: Path, server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, asked = server
    monkeypatch.chdir(tmp_path)
    folder = Path(f"http:/127.0.0.1:{port}")
    folder.mkdir(parents=True)
    (folder / "clip.mp4").write_text("no video")
    lists = {
        "a.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
        "b.mp4": f"ffconcat version 1.0\nfile http://127.0.0.1:{port}/b.mp4\n",
        "c.mp4": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    found = find_videos(["."], tmp_path / "S")
    assert len(found) == 4
    for path in found:
        with pytest.raises(VadkitError):
            shown(path)
    assert asked == []
    for address in (f"http://127.0.0.1:{port}/x.mp4", f"hls+http://127.0.0.1:{port}/x.m3u8"):
        with pytest.raises(VadkitError):
            find_videos([address], tmp_path)
        with pytest.raises(VadkitError):
            open_input(address)
    assert asked == []


# -- lists of other files ---------------------------------------------------------------------------
@pytest.mark.guards("D20", "5.2")
@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{video}\n#EXT-X-ENDLIST\n", "an HLS playlist"),
        ("a.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nv.ts\n#EXT-X-ENDLIST\n", "an HLS playlist"),
        ("a.mp4", "ffconcat version 1.0\nfile v.ts\n", "an FFmpeg list of files"),
        ("a.ffconcat", "ffconcat version 1.0\nfile {video}\n", "an FFmpeg list of files"),
        ("a.mp4", '\n<?xml version="1.0"?>\n<MPD type="static"><Period><BaseURL>v.ts</BaseURL></Period></MPD>', "DASH"),
        ("a.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n", "an SDP session"),
        ("a.asx", "<asx version='3.0'><entry><ref href='v.ts'/></entry></asx>", "an ASX list"),
        ("a.wmv", "[Reference]\nRef1=http://127.0.0.1/v.wmv\n", "an ASX list"),
        ("a.xml", '<?xml version="1.0"?><CompositionPlaylist></CompositionPlaylist>', "an IMF playlist"),
    ],
)
def test_a_list_of_other_files_is_not_followed(tmp_path: Path, name: str, text: str, kind: str) -> None:
    video = write(tmp_path / "v.ts", N)
    (tmp_path / name).write_text(text.format(video=video))
    message, hint = refusal(tmp_path / name)
    assert kind in message and "it is not followed" in message and "ffmpeg" in hint


@pytest.mark.guards("D20")
@pytest.mark.parametrize("name", ["img%d.png", "img%03d.jpg", "img*.png", "img?.bmp", "img[1].png"])
def test_a_picture_whose_name_is_a_pattern_does_not_bring_others(tmp_path: Path, name: str) -> None:
    picture = write(tmp_path / "a.mkv", [5], codec="ffv1")
    for number in range(4):
        (tmp_path / f"img{number}.png").write_bytes(picture.read_bytes())
    (tmp_path / name).write_bytes(picture.read_bytes())
    try:
        assert shown(tmp_path / name)[1] == [5]
    except VadkitError as error:
        assert "series of pictures" in error.problems[0].message


# -- what is no file --------------------------------------------------------------------------------
@pytest.mark.guards("5.2")
@pytest.mark.parametrize(
    ("name", "words", "way"),
    [
        ("rtsp://cam/1", "rtsp://cam/1 is not a file", "ffmpeg -i rtsp://cam/1 -t 60 clip.mp4"),
        ("http://host/a.mp4", "http://host/a.mp4 is not a file", "ffmpeg -i http://host/a.mp4"),
        ("rtmp://host/live", "rtmp://host/live is not a file", "ffmpeg -i rtmp://host/live"),
        ("0", "0 is not a file", "ffmpeg -f v4l2 -i /dev/video0"),
        ("/dev/video0", "/dev/video0 is not a file", "ffmpeg -f v4l2 -i /dev/video0"),
        ("/dev/null", "/dev/null is not a file", "record it first"),
        ("-", "pipe:0 is not a file", "ffmpeg -i pipe:0"),
    ],
)
def test_cameras_and_addresses_are_refused_with_the_way_on(tmp_path: Path, name: str, words: str, way: str) -> None:
    for asked in (name, Path(name)):
        with pytest.raises(VadkitError) as caught:
            find_videos([asked], tmp_path)
        assert words in caught.value.problems[0].message and way in (caught.value.problems[0].hint or "")
        message, hint = refusal(Path(asked))
        assert words in message and way in hint


@pytest.mark.guards("5.2", "D21")
def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    assert "a.mp4 is not a file" in refusal(tmp_path / "a.mp4")[0]


@pytest.mark.guards("D2", "5.2")
def test_there_is_no_other_way_to_open_a_media_file() -> None:
    opening = re.compile(r"\bav\.open\(|av\.container\.open\(|VideoCapture\(|from av import open")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("vadkit", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        if opening.search(path.read_text())
    }
    # Cameras are no files: an address or a device is opened by ``watch`` alone.
    assert found == {"vadkit/extract/open_file.py", "vadkit/watch/live_input.py"}
