"""What the text of a label means: normal, abnormal, a class, unknown, or refused; never silently abnormal."""

from __future__ import annotations

import pytest

from vadkit.labels import Label, folder_label, label_word, one_spelling, read_classes, read_label, spelling_notes
from vadkit.problems import Place, VadkitError

pytestmark = pytest.mark.guards("2.3")

NORMAL = (
    "0", "0.0", "0,0", "00", " 0 ", "normal", "Normal", "NORMAL ", '"normal"', "'normal'", "\u201cnormal\u201d",
    "FALSE", "False", "false", "no", "No", "n", "F", "negative", "background", "BG", "Normal_Videos", "normal-videos",
    "Normal_Videos_event", "Normal_Videos003", "Training_Normal_Videos_Anomaly", "Testing_Normal_Videos",
    "normal event", "NonViolence", "non-violence", "no_anomaly", "NonFight", "anomaly-free", "nothing",
)  # fmt: skip
ABNORMAL = (
    "1", "1.0", "1,0", "true", "TRUE", "True", "yes", "y", "T", "positive", "abnormal", "Abnormal ", "anomaly",
    "Anomalous", "Abnormal Videos", "Anomaly-Videos-Part-1",
)  # fmt: skip
UNKNOWN = (
    "", " ", "\t", "?", "??", "-", "--", "_", "N/A", "n/a", "NA", "nan", "NaN", "null", "unknown", "UNKNOWN",
    "unlabelled", "not labelled", "TODO", "''",
)  # fmt: skip
CLASSES = {
    "Fighting": ("Fighting",),
    "  fire ": ("fire",),
    '"fire"': ("fire",),
    "road   accident": ("road accident",),
    "fight;shooting": ("fight", "shooting"),
    "fight, shooting": ("fight", "shooting"),
    "fight|shooting|fight": ("fight", "shooting"),
    "Fighting, abnormal": ("Fighting",),
    "B1-0-0": ("B1-0-0",),
    "cafe\u0301": ("caf\u00e9",),
    "hit a person": ("hit a person",),
}
REFUSED = (
    "none", "None", "2", "-1", "0.5", "1e-9", "inf", "-inf", "1e400", "9" * 400, "100%", "3/4", "normal;fight",
    "fight,1", "normal?", "not normal", "non-normal", "no helmet", "A", "ok", "good", "others", "nomal", "noraml",
    "Nor mal", "abnromal", "unkown", "normal (day)", '="normal"', "yes!",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "label"),
    [*((t, 0) for t in NORMAL), *((t, 1) for t in ABNORMAL), *((t, None) for t in UNKNOWN)],
)
def test_words_and_numbers(text: str, label: int | None) -> None:
    assert read_label(text) == Label(label)


@pytest.mark.parametrize("text", CLASSES)
def test_classes(text: str) -> None:
    assert read_label(text) == Label(1, CLASSES[text])


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_certain_meaning_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(VadkitError) as error:
        read_label(text, Place("labels.csv", 7, 1))
    (problem,) = error.value.problems
    assert str(problem.place) == "labels.csv:7:1" and "write normal, abnormal or a class" in (problem.hint or "")
    assert len(problem.message) < 200


def test_words_of_a_data_set() -> None:
    assert read_label("A", normal=("a",)) == Label(0)


def test_cells_of_classes_alone() -> None:
    assert read_classes("theft; fire") == ("theft", "fire")
    assert read_classes("normal") == read_classes("") == read_classes("-") == ()
    for text in ("normal, theft", "theft; 3"):
        with pytest.raises(VadkitError):
            read_classes(text)


def test_spellings_of_one_class() -> None:
    found = one_spelling(["Car_Accident", "fire", "car accident", "Fire ", "smoke", "car-accident"])
    assert found == {
        "Car_Accident": "Car_Accident", "car accident": "Car_Accident", "car-accident": "Car_Accident",
        "fire": "fire", "Fire ": "fire", "smoke": "smoke",
    }  # fmt: skip
    assert spelling_notes(found) == [
        "'car accident', 'car-accident' is taken for the class 'Car_Accident'",
        "'Fire ' is taken for the class 'fire'",
    ]


def test_names_of_folders() -> None:
    assert [folder_label(name) for name in ("normal", "Normal_Videos", "Anomaly-Videos-Part-1", "NonViolence")] == [
        Label(0), Label(0), Label(1), Label(0)
    ]  # fmt: skip
    assert folder_label("unlabelled") == Label(None)
    assert [folder_label(name) for name in ("no", "1", "rgb", "-", "true")] == [None] * 5


def test_words_for_labels() -> None:
    assert [label_word(label) for label in (0, 1, None)] == ["normal", "abnormal", "unknown"]
