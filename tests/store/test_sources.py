"""Sources of videos by their names, and which test videos share theirs with training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_store import write_tiny_store

from vadkit.cli import main
from vadkit.data import open_dataset
from vadkit.datasets.annotations import SOURCES, read_annotations
from vadkit.problems import VadkitError
from vadkit.store import overlap, read_store, source_rule

FILM = "(?P<film>.+?)__#"


def test_a_rule_says_which_source_a_name_has() -> None:
    rule = source_rule(FILM)
    assert rule.what == "film" and rule.of("Bad.Boys.1995__#00-26-51_label_A") == "Bad.Boys.1995"
    assert rule.of("v=8cTqh9tMz_I__#1_label_A") == "v=8cTqh9tMz_I" and rule.of("Abuse001") is None
    assert source_rule("(?P<film_or_channel>.)").what == "film or channel"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(?P<film>", r"sources: '\(\?P<film>' is no regular expression"),
        (".+__", "has no named group, and must have one"),
        ("(?P<a>.)(?P<b>.)", "has 2 named groups, and must have one"),
    ],
)
def test_a_rule_that_is_none(text: str, message: str) -> None:
    with pytest.raises(VadkitError, match=message):
        source_rule(text)


def test_videos_are_seen_clean_or_of_unknown_source() -> None:
    found = overlap(source_rule("(?P<camera>[a-z]+)_"), ["a_1", "b_2", "c_3", "7"], ["a_9", "c_8", "8"])
    assert (found.seen, found.clean, found.unknown) == (("a_1", "c_3"), ("b_2",), ("7",))
    assert found.sentence == "2 of 3 videos (66.7 %) share their camera with training; 1 name without a camera"
    assert overlap(found.rule, [], []).sentence == "0 of 0 videos share their camera with training"


@pytest.mark.parametrize(("data_set", "seen", "clean"), [("xd_violence", 533, 267), ("shanghaitech", 199, 0)])
def test_the_published_splits(data_set: str, seen: int, clean: int) -> None:
    """Two thirds of XD-Violence's test videos, 66.6 %, share their film with training; all cameras of the other do."""
    annotations = read_annotations(data_set)
    rule = source_rule(SOURCES[data_set] or "")
    found = overlap(rule, [v.name for v in annotations.of("test")], [v.name for v in annotations.of("train")])
    assert (len(found.seen), len(found.clean), found.unknown) == (seen, clean, ())


# -- stores ----------------------------------------------------------------------------------------
@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of which two of the training films are also in the test split."""
    root = write_tiny_store(tmp_path / "store")
    head = json.loads((root / "store.json").read_text())
    (root / "store.json").write_text(json.dumps({**head, "sources": FILM}))
    return root


def test_a_store_says_how_names_show_sources(store: Path) -> None:
    assert read_store(store).sources == FILM
    found = open_dataset({"args": {"root": str(store)}}).source_overlap("test")  # type: ignore[attr-defined]
    rule = source_rule(FILM)
    trained = {rule.of(video.name) for video in read_store(store).videos if video.split == "train"}
    assert found.seen and found.clean
    assert all((rule.of(name) in trained) for name in found.seen) and not any(
        rule.of(name) in trained for name in found.clean
    )
    dataset = open_dataset({"args": {"root": str(store), "sources": "(?P<prefix>.)"}})
    assert dataset.source_overlap("test").rule.what == "prefix"  # type: ignore[attr-defined]


def test_a_wrong_rule_is_a_fault_of_the_store(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = json.loads((store / "store.json").read_text())
    for rule, message in (("(", "is no regular expression"), (3, "sources")):
        (store / "store.json").write_text(json.dumps({**head, "sources": rule}))
        with pytest.raises(VadkitError, match=message):
            read_store(store)
    assert main(["store", "check", str(store), "--sources", "("]) == 2
    assert "--sources: '(' is no regular expression" in capsys.readouterr().err


def test_check_counts_them_as_a_note(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = main(["store", "check", str(store), "--quick"])
    text = capsys.readouterr().out
    found = open_dataset({"args": {"root": str(store)}}).source_overlap("test")  # type: ignore[attr-defined]
    assert f"note: test: {found.sentence}; vadkit eval also measures the other {len(found.clean)} apart" in text
    assert main(["store", "check", str(store), "--quick", "--json"]) == before
    plain = json.loads(capsys.readouterr().out)
    assert "source-overlap" not in plain["kinds"]  # no fault
    sources = plain["sources"]
    assert (sources["seen"], sources["clean"], sources["what"]) == (len(found.seen), len(found.clean), "film")
    assert sources["seen_videos"] == list(found.seen)
    main(["store", "check", str(store), "--quick", "--json", "--sources", "(?P<all>.)?"])
    assert json.loads(capsys.readouterr().out)["sources"]["share"] <= 1


def test_an_import_writes_the_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = ["store", "generate", "xd_violence", "--out", str(tmp_path / "made"), "--fraction", "0.01", "--width", "4"]
    assert main([*made, "--streams", "rgb"]) == 0
    assert main(["store", "import", "xd_violence", "--root", str(tmp_path / "made"), "--out", str(tmp_path / "s")]) == 0
    assert read_store(tmp_path / "s").sources == SOURCES["xd_violence"]
    own = ["store", "import", "own", "--root", str(tmp_path / "own"), "--out", str(tmp_path / "o")]
    for folder in ("normal", "abnormal"):
        (tmp_path / "own" / folder).mkdir(parents=True)
        np.save(tmp_path / "own" / folder / f"gate_{folder}.npy", np.ones((3, 4), np.float32))
    assert main([*own, "--sources", "(?P<camera>[^_]+)_"]) == 0
    assert read_store(tmp_path / "o").sources == "(?P<camera>[^_]+)_"
    capsys.readouterr()
    for command, message in (
        ([*own, "--replace", "--sources", "x"], "--sources: 'x' has no named group"),
        (["store", "import", "ucf_crime", "--root", str(tmp_path), "--sources", FILM], "--sources is for your own"),
    ):
        assert main(command) == 2 and message in capsys.readouterr().err
