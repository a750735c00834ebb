"""Tables of official names: what a line means, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError
from vadkit.systems.names_table import Name, Names, parse_names, read_names

TABLES = Path(__file__).parents[2] / "registry_configs" / "names"

TABLE = """
# a comment
fc.              score.layers.0.      # all below it
embed.weight     embed.linear.weight transposed
layers.*.norm.   encoder.blocks.*.norm.
net.conv.        body.conv.
net.net.0.       =net.conv.
idle.            -
stray            -
.                head: mlp_head
@v_model.pth     v.
"""


def table(text: str) -> Names:
    components = load_plugins().components
    return parse_names(text, "t.txt", components.find, components.names())


@pytest.mark.parametrize(
    ("official", "name"),
    {
        "fc.weight": Name("score.layers.0.weight"),
        "embed.weight": Name("embed.linear.weight", transposed=True),
        "layers.12.norm.bias": Name("encoder.blocks.12.norm.bias"),
        "layers.x.norm.bias": None,
        "net.net.0.weight_g": Name(alias="net.conv.weight_g"),
        "idle.0.weight": Name(),
        "stray": Name(),
        "stray.weight": None,
        "cls_head.mlp.2.bias": Name("head.layers.1.bias"),
        "fc": None,
        "fc.": None,
    }.items(),
)
def test_a_name_is_translated(official: str, name: Name | None) -> None:
    assert table(TABLE).find(official) == name


@pytest.mark.parametrize(
    ("ours", "official"),
    {
        "score.layers.0.bias": "fc.bias",
        "encoder.blocks.3.norm.weight": "layers.3.norm.weight",
        "body.conv.bias": "net.conv.bias",
        "head.layers.0.weight": "cls_head.mlp.0.weight",
        "other": None,
    }.items(),
)
def test_a_name_is_translated_back(ours: str, official: str | None) -> None:
    assert table(TABLE).official(ours) == official


def test_a_file_has_a_prefix() -> None:
    assert table(TABLE).files == {"v_model.pth": "v."}


def test_a_part_has_the_names_below_its_prefix() -> None:
    part = table("a.b. x.\na.c. y.\nb. z.").below("a.")
    assert part.find("b.w") == Name("x.w")
    assert part.find("a.b.w") is None


def test_the_first_line_decides() -> None:
    assert table("a.b. x.\na. y.").find("a.b.w") == Name("x.w")
    assert table("a.b. x.\na. y.").official("y.b.w") is None  # what official name would it have?


WRONG = {
    "one column": ("fc.", "t.txt:1:1: a line has two or three columns: OFFICIAL OURS, or OFFICIAL NODE: COMPONENT"),
    "four columns": ("a. b: mlp_head c", "t.txt:1:1: a line has two or three columns"),
    "a dot on one side": ("fc. score", "t.txt:1:5: both names end in a dot, or neither does"),
    "a star on one side": ("fc.* score", "t.txt:1:6: both names have the same number of *"),
    "a name twice": ("fc. a.\nfc. b.", "t.txt:2:1: 'fc.' has two lines; the first one decides"),
    "no such component": (". head: mlp_haed", "t.txt:1:9: there is no component 'mlp_haed'"),
    "the nearest component": (". head: mlp_haed", "hint: did you mean 'mlp_head'?"),
    "a node without its component": (". head:", "t.txt:1:3: a whole node is OFFICIAL NODE: COMPONENT"),
    "a component without a node": ("fc. head. mlp_head", "t.txt:1:11: a whole node is OFFICIAL NODE: COMPONENT"),
    "a component without names": (". x: concat", "t.txt:1:6: component 'concat' has no authors_names"),
    "a component of several names": (". x: dense", "component 'dense' has several official names for 'linear'"),
    "an alias of nothing": ("a. =b.", "t.txt:1:4: 'b.' has no line that gives a name of ours"),
    "an alias of an alias": ("a. =b.\nb. =c.\nc. x.", "t.txt:1:4: 'b.' has no line that gives a name of ours"),
    "an alias of what is never used": ("a. =b.\nb. -", "t.txt:1:4: 'b.' has no line that gives a name of ours"),
    "an empty alias": ("a =", "t.txt:1:3: = is followed by an official name"),
    "a transposed alias": ("a =b transposed\nb c", "t.txt:1:6: only a weight of ours is transposed"),
    "a file without a prefix": (
        "@f.pth v",
        "t.txt:1:1: a line of a file is @FILE PREFIX, and the prefix ends in a dot",
    ),
    "a file twice": ("@f a.\n@f b.", "t.txt:2:1: file f has two lines"),
    "too long": ("#\n" * 3000, "t.txt:1:1: a table of names has at most 2,000 lines"),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_line_is_named_at_its_place(text: str, words: str) -> None:
    with pytest.raises(VadkitError) as error:
        table(text)
    assert words in str(error.value)


def test_all_wrong_lines_are_reported_at_once() -> None:
    with pytest.raises(VadkitError) as error:
        table("a. b\nfc.\nc. d: nothing")
    assert [problem.place and problem.place.line for problem in error.value.problems] == [1, 2, 3]


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match="cannot be read: no such file"):
        read_names(tmp_path / "none.txt", lambda name: None)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VadkitError, match="is not UTF-8 text"):
        read_names(tmp_path / "binary.txt", lambda name: None)


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.txt")), ids=lambda path: path.stem)
def test_each_table_that_comes_with_vadkit_is_sound(path: Path) -> None:
    assert read_names(path, load_plugins().components.find).rows
