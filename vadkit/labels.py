"""What a label means: normal, abnormal or unknown. The only function that reads the text of one is here.

Text comes from tables, lists, indexes and names of folders. Each has one meaning, or is refused: a cell that is
taken for a class by mistake makes its video abnormal.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from vadkit.problems import Place, fail

WRITE = "write normal, abnormal or a class; leave the cell empty if the label is unknown"
IN_CLASSES = "if it is a class, write abnormal here and the class in the column 'classes'"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NORMAL = _words(
    "normal normals nominal negative neg false f no n background bg nothing uneventful regular usual nonabnormal "
    "nonanomaly nonanomalous"
)
ABNORMAL = _words("abnormal abnormals anomaly anomalies anomalous positive pos true t yes y")
UNKNOWN = _words(
    "unknown unlabelled unlabeled undefined unsure unclear missing na n/a n.a. nan nil null todo tbd /"
) | {
    "not available",
    "not labelled",
    "not labeled",
    "no label",
    "without label",
}
# What data sets call normal: Normal_Videos, Training_Normal_Videos_Anomaly, NonViolence, no fight.
NORMAL_NAME = re.compile(
    r"(?:(?:training|testing|train|val|test) )?normals? (?:videos?|events?|clips?|class|scenes?|anomaly|part|\d+| )+"
)
ABNORMAL_NAME = re.compile(
    r"(?:(?:training|testing|train|val|test) )?(?:abnormal|anomaly|anomalous|anomalies) "
    r"(?:videos?|events?|clips?|class|scenes?|part|\d+| )+"
)
NOT_ABNORMAL = re.compile(
    r"(?:not?|non|without(?: an?)?) ?(?:violen(?:ce|t)|fights?|fighting|anomal(?:y|ies|ous)|abnormal(?:ity|ities)?|"
    r"events?|crimes?|incidents?|accidents?)|(?:anomaly|violence|incident|event) free"
)
FOLDERS = _words(
    "normal normals abnormal abnormals anomaly anomalies anomalous nonabnormal unknown unlabelled unlabeled"
)
# One of these in a cell that is otherwise not understood: it may mean normal, so it is not taken for a class.
DOUBTFUL = _words(
    "none not no non without free normal normals abnormal anomaly anomalous background negative positive false true "
    "yes null unknown unlabelled unlabeled"
)
DOUBTFUL_ALONE = _words("a ok okay good bad safe unsafe fine clean quiet maybe perhaps other others misc label")
SLIPS = ("normal", "abnormal", "unknown", "background")
ALIKE = 0.83  # from here on a word is taken for a slip: "noraml" is so alike to "normal"


@dataclass(frozen=True)
class Label:
    """A label as it is read: 0 normal, 1 abnormal or None unknown; of an abnormal one the classes, main one first."""

    label: int | None
    classes: tuple[str, ...] = ()


def label_word(label: int | None) -> str:
    """Return "normal", "abnormal" or "unknown"."""
    return "unknown" if label is None else ("normal", "abnormal")[label]


def read_label(text: str, place: Place | None = None, normal: Collection[str] = ()) -> Label:
    """Return what a cell means: a word, a number, or one or more classes with ``;``, ``,`` or ``|`` between them.

    ``normal`` are more words for it, as a data set has them, in lower case. Raises VadkitError with ``place`` for a
    cell of more than one meaning, or of none.
    """
    plain = _plain(text)
    known = Label(0) if plain in normal else _word(plain)
    if known is not None:
        return known
    number = _number(_unquoted(text))
    if number is not None:
        if number not in (0, 1):
            fail(f"label '{_short(text)}' is neither 0 (normal) nor 1 (abnormal)", WRITE, place)
        return Label(int(number))
    classes = []
    for part in split_classes(text):
        meaning = _word(_plain(part))
        if meaning == Label(1):
            continue
        if meaning is not None or _number(part) is not None:
            fail(f"label '{_short(text)}' names '{part}' among classes", WRITE, place)
        _refuse_doubtful(part, text, place)
        classes.append(part)
    if not classes:
        fail(f"label '{_short(text)}' has no meaning", WRITE, place)
    return Label(1, tuple(dict.fromkeys(classes)))


def read_classes(text: str, place: Place | None = None) -> tuple[str, ...]:
    """Return the abnormal classes of a cell of its own; words for normal, abnormal and unknown are none.

    Raises VadkitError with ``place`` for normal among others, and for what is no name.
    """
    parts = split_classes(text)
    names = [part for part in parts if _word(_plain(part)) is None]
    if names and any(_word(_plain(part)) == Label(0) for part in parts):
        fail(f"the classes '{_short(text)}' are normal and abnormal at once", WRITE, place)
    for name in names:
        if not any(character.isalpha() for character in name):
            fail(f"'{_short(name)}' is not usable as the name of a class", "a class has a letter in its name", place)
    return tuple(dict.fromkeys(names))


def folder_label(name: str) -> Label | None:
    """Return the label that the name of a folder says, as Normal_Videos and NonViolence do; None if it says nothing.

    Short words, such as "no" or "1", are labels in a cell, but not as a folder.
    """
    plain = _plain(name)
    return _word(plain) if plain in FOLDERS else _phrase(plain)


def split_classes(text: str) -> list[str]:
    """Return the parts of a cell with ``;``, ``,`` or ``|`` between them, without quotes and double spaces."""
    parts = (" ".join(_unquoted(part).split()) for part in re.split(r"[;,|]", _unquoted(text)))
    return [unicodedata.normalize("NFC", part) for part in parts if part]


def one_spelling(classes: Iterable[str]) -> dict[str, str]:
    """Return for each class the spelling that came first: case, spaces, ``_`` and ``-`` make no other class."""
    first: dict[str, str] = {}
    return {name: first.setdefault(_folded(name), name) for name in classes}


def spelling_notes(spellings: dict[str, str]) -> list[str]:
    """Return a sentence for each class that was written in other ways, too."""
    others: dict[str, list[str]] = {}
    for name, kept in spellings.items():
        if name != kept:
            others.setdefault(kept, []).append(f"'{name}'")
    return [f"{', '.join(names)} is taken for the class '{kept}'" for kept, names in others.items()]


# -- words -----------------------------------------------------------------------------------------
def _folded(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _unquoted(text: str) -> str:
    text = text.strip()
    while len(text) > 1 and (text[0], text[-1]) in (("'", "'"), ('"', '"'), ("\u2018", "\u2019"), ("\u201c", "\u201d")):
        text = text[1:-1].strip()
    return text


def _plain(text: str) -> str:
    """Return a cell in lower case, ``_`` as a space, without quotes and spaces around it."""
    bare = _unquoted(text)
    return _folded(bare) or " ".join(bare.split())


def _word(plain: str) -> Label | None:
    """Return the meaning of a cell that is a word for normal, abnormal or unknown."""
    if plain in NORMAL:
        return Label(0)
    if plain in ABNORMAL:
        return Label(1)
    if not plain or plain in UNKNOWN or set(plain) <= set("?-_ .*"):
        return Label(None)
    return _phrase(plain)


def _phrase(plain: str) -> Label | None:
    if NORMAL_NAME.fullmatch(plain) or NOT_ABNORMAL.fullmatch(plain):
        return Label(0)
    return Label(1) if ABNORMAL_NAME.fullmatch(plain) else None


def _number(text: str) -> float | None:
    """Return a cell that is a number, with a decimal point or comma."""
    try:
        return float(text.replace(",", ".", 1))
    except ValueError:
        return None


def _refuse_doubtful(part: str, text: str, place: Place | None) -> None:
    if not any(character.isalpha() for character in part):
        fail(f"label '{_short(text)}' is no class: it has no letter", WRITE, place)
    plain = _folded(part)
    if DOUBTFUL & set(re.findall(r"\w+", plain)) or plain in DOUBTFUL_ALONE or _slip(plain):
        what = "XD-Violence's code of normal videos" if plain == "a" else "not clear"
        fail(
            f"label '{_short(text)}' is {what}: is the video normal, abnormal or unknown?",
            f"{WRITE}; {IN_CLASSES}",
            place,
        )


def _slip(plain: str) -> bool:
    """Return whether a word was probably meant to be one for normal, abnormal or unknown."""
    bare = plain.replace(" ", "")
    return any(difflib.SequenceMatcher(None, bare, word).ratio() > ALIKE for word in SLIPS)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
