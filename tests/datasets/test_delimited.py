"""Lists and tables as people write them: read as they are meant, or refused with their line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from vadkit.datasets.auditing.list_files import check_intervals
from vadkit.datasets.importing.list_files import read_list_file
from vadkit.datasets.importing.table import read_table
from vadkit.extract.labels import label, read_labels, read_list
from vadkit.problems import VadkitError

pytestmark = pytest.mark.guards("2.3", "F")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "own.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(VadkitError) as error:
        read(path)
    return str(error.value)


PLAIN = "video,label,split\na,normal,train\nb,abnormal,test\n"
WANTED = [("a", 0, "train"), ("b", 1, "test")]


# -- tables ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ", "),
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.rstrip("\n"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        "# of camera 3\n\n" + PLAIN,
        "#" + PLAIN,
        PLAIN.replace("\nb", "\n,,\n\n# later\n;\nb".replace(";\n", "")),
        PLAIN + ",,\n , ,\n",
        '"video","label","split"\n"a","normal","train"\n"b","abnormal","test"\n',
        "label,split,video\nnormal,train,a\nabnormal,test,b\n",
        "VIDEO,Label,Split\na,Normal,Train\nb,ABNORMAL,TEST\n",
        "video,label,split,\na,normal,train,\nb,abnormal,test,\n",
        "video,label,split\na,normal,training\nb,abnormal,testing\n",
        "video,label,split\na.mp4,0,train\nb.MPEG,1,test\n",
        "video,label,split\ncam1/a.wmv,0,train\nC:\\cam2\\b.flv,1,test\n",
        "file,label,split\nx/a.ts,0,\ny/b.m2ts,1,test\n",
        "video,class,split\na,normal,train\nb,fire,test\n",
        "video,label,classes,split\na,normal,normal,train\nb,,fire,test\n",
        "video,label,classes,split\na,0,-,train\nb,1,fire|smoke,test\n",
    ],
)
def test_tables_that_mean_the_same(write: Write, content: str) -> None:
    table = read_table(write(content))
    assert [(video.name, video.label, video.split) for video in table.videos] == WANTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe" + "video,label\na,1\n".encode("utf-16-le"), "is UTF-16 text\n  hint: save it as CSV in UTF-8"),
        ("video,label\na,1\n".encode("utf-16-le"), "is not text (line 1 holds a zero byte)"),
        (b"PK\x03\x04 workbook", "is a workbook or an archive, not text"),
        ("video,label\ncaf\u00e9,1\n".encode("latin-1"), "is not UTF-8 text (byte 15, line 2)"),
        ('video,label\n"a,1\nb,0\n', "own.csv:2:1: a quote is opened and not closed in this line"),
        ('video,label\n"a"b,1\n', "own.csv:2:1: text follows the end of a quoted cell"),
        ('video,label\n"a,' + "x" * 200_000, "own.csv:2:1: a cell is longer than"),
        ('video,label,"split\na,1,train\n', "own.csv:1:1: a quote is opened and not closed"),
        ("video,label\na,1,extra\n", "own.csv:2:1: the line has 3 cells, but the first line names 2 columns"),
        ("video,label,name,name\na,1,b,c\n", "there are two columns for name"),
        ("a.mp4,1\nb.mp4,0\n", "own.csv:1:1: there is no column 'a.mp4'"),
        ("video,label\ncam1/0001.mp4,0\ncam2/0001.mp4,1\n", "own.csv:3:1: video '0001' is in line 2 already, as cam1/"),
        ("video,label\na,none\n", "own.csv:2:1: label 'none' is not clear"),
        ("video,label,classes\na,normal,fire\n", "own.csv:2:1: the video is normal ('normal'), but has a class"),
        ("video,label,classes\na,?,fire\n", "the video has the label unknown ('?'), but has a class"),
        ("video,label,intervals\na,,1-2\n", "video 'a' has no label, but has intervals"),
        ("video,label,fps\na,1,nan\n", "fps 'nan' is not a number above 0"),
        ("video,label,fps\na,1,inf\n", "fps 'inf' is not a number above 0"),
        ("video,label,frames\na,1,1.000\n", "frames '1.000' is not a whole number above 0"),
        ("video,label,intervals\na,1,nan-5\n", "own.csv:2:1: interval 'nan-5' is not START-END"),
        ("video,label,intervals\na,1,4.5-7\n", "interval '4.5-7' is not in whole frames"),
        ("video,label\n", "lists no video"),
        ("# only a remark\n", "has no line that names columns"),
    ],
)
def test_tables_that_are_refused(write: Write, content: str | bytes, message: str) -> None:
    assert message in refusal(read_table, write(content))


@pytest.mark.guards("D16")
@pytest.mark.parametrize("digits", [13, 309, 4300, 5000])
@pytest.mark.parametrize("cell", ["0-{}", "{}-{}", "0-{}s", "0.{}-5s", "{}"])
def test_numbers_of_many_digits_are_refused_with_their_line(write: Write, digits: int, cell: str) -> None:
    number = "9" * digits
    text = refusal(read_table, write(f"video,label,intervals,fps\na,1,{cell.replace('{}', number)},25\n"))
    assert "own.csv:2:1: interval '" in text and len(text) < 500
    for column in ("frames", "fps"):
        assert f"own.csv:2:1: {column} '" in refusal(read_table, write(f"video,label,{column}\na,1,{number}\n"))


@pytest.mark.guards("D16")
@pytest.mark.parametrize("digits", [13, 4300, 5000])
def test_files_of_intervals_have_bounds(write: Write, digits: int) -> None:
    path = write(f"a 1 5\nb Fight 0 {'9' * digits}\n", "intervals.txt")
    assert "intervals.txt:2:1: the line is not NAME" in refusal(lambda p: check_intervals(p, {}, "half_open"), path)


@pytest.mark.parametrize(
    ("cell", "spans"),
    [
        ("120-180 300-365", ((120, 180), (300, 365))),
        ("120-180;300-365", ((120, 180), (300, 365))),
        ('"120-180,300-365"', ((120, 180), (300, 365))),
        ("120 - 180", ((120, 180),)),
        ("120\u2013180", ((120, 180),)),
        ('"4,5-7s"', ((112, 175),)),
        ('"4,5-7,25s"', ((112, 181),)),
        ("4.5-7s", ((112, 175),)),
        ("-", ()),
        ("", ()),
    ],
)
def test_intervals(write: Write, cell: str, spans: tuple[tuple[int, int], ...]) -> None:
    table = read_table(write(f"video,label,fps,intervals\na,1,25,{cell}\n"))
    assert table.videos[0].spans == spans


def test_decimal_commas(write: Write) -> None:
    video = read_table(write("video;label;fps;frames\na;1,0;29,97;900,0\n")).videos[0]
    assert (video.label, video.fps, video.num_frames) == (1, 29.97, 900)


def test_a_column_of_names_tells_two_folders_apart(write: Write) -> None:
    table = read_table(write("name,file,label\nfront,cam1/0001.mp4,0\nback,cam2/0001.mp4,1\n"))
    assert [(row.video.name, row.file) for row in table.rows] == [
        ("front", "cam1/0001.mp4"),
        ("back", "cam2/0001.mp4"),
    ]


def test_case_makes_no_other_class(write: Write) -> None:
    path = write("video,label\na,Fighting\nb,fighting\nc,FIGHTING;fire\n")
    table = read_table(path)
    assert [video.classes for video in table.videos] == [("Fighting",), ("Fighting",), ("Fighting", "fire")]
    assert table.notes == [f"{path}: 'fighting', 'FIGHTING' is taken for the class 'Fighting'"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "labels.csv")
    assert "not a text file" in refusal(read_table, tmp_path / "labels.csv")


# -- lists of videos -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("a.mp4\nsub/b.avi\n", ["a", "b"]),
        ("\ufeffa.mp4\r\n\r\n  sub/b.avi \r\n", ["a", "b"]),
        ("# front door\na.mp4\n## back door\nsub/b.avi\n", ["a", "b"]),
        ("#1.mp4\nb.mp4\n", ["#1", "b"]),
        ('"my clip.mp4"\n"b,c.mp4"\n', ["my clip", "b,c"]),
        ("fire, smoke.mp4\nb.mp4\n", ["fire, smoke", "b"]),
        ("a.mp4,\nb.mp4,,\n", ["a", "b"]),
        ("a.v2.mp4\nb.ts\n", ["a.v2", "b"]),
        ("file\na.mp4\nb.mp4\n", ["a", "b"]),
        ("video,label\nx/a.mp4,0\nb.mp4,1\n", ["a", "b"]),
        ("path;name\na.mp4;front\nb.mp4;\n", ["front", "b"]),
        ("file,label\n,\na.mp4,0\n , \nb.mp4,1\n", ["a", "b"]),
        ("name,label,file\ncam1_1,0,cam1/0001.mp4\ncam2_1,1,cam2/0001.mp4\n", ["cam1_1", "cam2_1"]),
    ],
)
def test_lists(write: Write, content: str, wanted: list[str]) -> None:
    entries, _ = read_list(write(content, "list.csv"))
    assert [entry["name"] for entry in entries] == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lists no video"),
        ("# nothing yet\n", "lists no video"),
        ("name,label\na,0\n", "the first line has no column 'file'"),
        ("cam1/0001.mp4\ncam2/0001.mp4\n", "list.csv:2:1: video '0001' is in line 1 already, as cam1/0001.mp4"),
        ("a.mp4,1\nb.mp4,0\n", "list.csv:1:1: the line holds more than a path"),
        ("file,label\na.mp4,0\n,1\n", "list.csv:3:1: the line has no video name"),
        ("name,file\na,\n", "list.csv:2:1: the line has no file"),
        ("file,lable\na.mp4,0\n", "list.csv:1:1: there is no column 'lable'\n"),
        ("file,label\nx/a.mp4,0\ny/a.avi,1\n", "list.csv:3:1: video 'a' is in line 2 already, as x/a.mp4"),
        ("file,label\na.mp4,normal;fire\n", "list.csv:2:1: label 'normal;fire' names 'normal' among classes"),
        ('file,label\n"a.mp4,1\n', "list.csv:2:1: a quote is opened"),
    ],
)
def test_lists_that_are_refused(write: Write, content: str, message: str) -> None:
    assert message in refusal(read_list, write(content, "list.csv"))


# -- labels for videos -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("in/cafe\u0301.mp4", "caf\u00e9"),
        ("in/caf\u00e9.mp4", "cafe\u0301.mp4"),
        ("in/a.wmv", "a.wmv"),
        ("in/a.wmv", "a"),
        ("in/a.wmv", "other/place/a.WMV"),
        ("in/clip.ts.mp4", "clip.ts"),
        ("in/clip.ts.mp4", "clip.ts.mp4"),
        ("in/a.h264", "a.h264"),
    ],
)
def test_labels_find_their_video(write: Write, file: str, written: str) -> None:
    labels = read_labels(str(write(f"video,label\n{written},1\n")))
    entries, unlabelled = label([{"name": Path(file).stem, "file": file}], labels)
    assert not unlabelled and entries[0]["label"] == 1 and entries[0]["name"] == Path(file).stem


# -- lists of features -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("/x/a.npy\n/x/b.npy\n", [("/x/a.npy", None), ("/x/b.npy", None)]),
        ("a.npy 1.0\nb.npy 0.0\n", [("a.npy", 1), ("b.npy", 0)]),
        ("path,label\na.npy,Normal\nb.npy,Abuse\n", [("a.npy", 0), ("b.npy", 1)]),
        ('path,label\n"a.npy","Normal"\n"b.npy","Abuse"\n', [("a.npy", 0), ("b.npy", 1)]),
        ('"path","label"\n"a.npy","A"\n"b.npy","B1-0-0"\n', [("a.npy", 0), ("b.npy", 1)]),
        ("label;path\nFALSE;a.npy\nTRUE;b.npy\n", [("a.npy", 0), ("b.npy", 1)]),
        ("\ufeffG:\\x\\a.npy\r\n\r\n# rest\r\nb.npy\r\n", [("G:\\x\\a.npy", None), ("b.npy", None)]),
        ("a b.npy,Normal_Videos\nb.npy,?\n", [("a b.npy", 0), ("b.npy", None)]),
    ],
)
def test_feature_lists(write: Write, content: str, wanted: list[tuple[str, int | None]]) -> None:
    assert [(line.path, line.label) for line in read_list_file(write(content, "l.list"))] == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a.npy\nb.mp4\n", "l.list:2:1: the line names no .npy or .txt file"),
        ("path,label\na.npy,none\n", "l.list:2:1: label 'none' is not clear"),
        ('path,label\n"a.npy,Normal\n', "l.list:2:1: a quote is opened"),
        ("path,label\n", "names no file"),
    ],
)
def test_feature_lists_that_are_refused(write: Write, content: str, message: str) -> None:
    assert message in refusal(read_list_file, write(content, "l.list"))


# -- anything --------------------------------------------------------------------------------------
TABLES = (
    "video,label,split,classes,intervals,frames,fps\na,1,test,fire,1-5;7-9,99,25\nb.mp4,no,train,,,,\n",
    'file;name;label\n"x/a b.mp4";front;"fire|smoke"\ny.avi;;?\n',
    "# list\nx/a.npy,Normal\nb.npy 1.0\n",
)
PIECES = (
    '"',
    ",",
    ";",
    "\t",
    "\n",
    "\r",
    "-",
    "0" * 400,
    "nan",
    "s",
    "\0",
    "\ud7ff",
    "#",
    "\u2013",
    "/",
    "'",
    ".",
    "|",
    "\xa0",
)


@pytest.mark.guards("5.8", "D16")
@pytest.mark.parametrize("seed", range(3))
def test_mutated_tables_are_read_or_refused(write: Write, seed: int) -> None:
    random = Random(seed)
    refused = 0
    for _ in range(200):
        text = random.choice(TABLES)
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(text) + 1)
            text = text[:at] + random.choice(PIECES) * random.randint(1, 2) + text[at + random.randint(0, 3) :]
        path = write(text)
        for read in (read_table, read_list, read_list_file):
            try:
                read(path)
            except VadkitError:
                refused += 1
    print(f"seed {seed}: {refused} of 600 refused")
    assert 0 < refused < 600
