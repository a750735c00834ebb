"""Strict YAML: what a scalar means, what is refused, and where."""

import os
import random
from pathlib import Path

import pytest
import yaml

from vadkit.graph.load import BYTES, load_config
from vadkit.graph.yaml_reader import read_text, resolve, write_text
from vadkit.problems import VadkitError

CONFIGS = sorted((Path(__file__).parents[2] / "registry_configs").rglob("*.yaml"))
SLIPS = " :-#{}[],\"'&*!|>%@`\n\\ab1.~=<"  # what is typed by mistake


def read(text):
    reading = read_text(text, "x.yaml")
    assert not reading.problems, reading.problems
    return reading.tree.plain()


def reported(text):
    return [(p.place.line, p.place.column, p.message) for p in read_text(text, "x.yaml").problems]


def only(text):
    problems = read_text(text, "x.yaml").problems
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-4", 1e-4), ("1E5", 1e5), ("-.5", -0.5), ("3.", 3.0), ("+1.5e+3", 1500.0),
        ("12", 12), ("-7", -7), ("010", 10), ("0x1F", 31), ("0o17", 15),
        ("true", True), ("False", False), ("null", None), ("~", None),
        ("yes", "yes"), ("on", "on"), ("n", "n"), ("1_000", "1_000"), ("12:30:45", "12:30:45"),
        ("2001-01-01", "2001-01-01"), ("b t 1024", "b t 1024"), ("e5", "e5"), (".", "."), ("1e", "1e"),
        ("0b11", "0b11"), ("None", "None"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text, value):
    found = resolve(text)
    assert found == value and type(found) is type(value)


def test_quoted_text_is_text():
    assert read("a: '1'\nb: \"true\"\nc: |\n  x\n") == {"a": "1", "b": "true", "c": "x\n"}


@pytest.mark.parametrize(
    "text", [".inf", "-.INF", ".nan", "1e999", "9" * 20, "-" + "9" * 20, "9" * 9000, "0x" + "f" * 99]
)
def test_numbers_must_be_finite_and_fit(text):
    assert ("finite" in only(f"a: {text}").message) or ("number" in only(f"a: {text}").message)


def test_largest_numbers_that_fit():
    assert read(f"a: {2**63 - 1}\nb: {-(2**63)}") == {"a": 2**63 - 1, "b": -(2**63)}


def test_repeated_keys():
    assert reported("nodes:\n  context: 1\n  x: 2\n  context: 3\n") == [
        (4, 3, "nodes.context is written twice; first at line 2")
    ]
    assert reported("a: {b: 1, 'b': 2}")[0][2] == "a.b is written twice; first at line 1"


@pytest.mark.parametrize(
    "text, message",
    [
        ("1: a", "a key must be text, and 1 is a number"),
        ("1.5: a", "a key must be text, and 1.5 is a number"),
        ("true: a", "a key must be text, and true is a truth value"),
        ("~: a", "a key must be text, and ~ is null"),
        ("?\n: a", "a key must be text, and nothing is null"),
        ("? [a, b]\n: c", "a key must be text, not the list [a, b]"),
        ("{a: b}: c", "a key must be text, not a mapping"),
        ("'': a", "a key must not be empty"),
        ("<<: {a: b}", "merge keys (<<) are not allowed"),
        ("a: &x 1", "anchors and aliases (&x) are not allowed"),
        ("a: *x", "anchors and aliases (*x) are not allowed"),
        ("*x : 1", "anchors and aliases (*x) are not allowed"),
        ("a: !!python/object/apply:os.system [ls]", "tags are not allowed: !!python/object/apply:os.system"),
        ("a: !!int '3'", "tags are not allowed: !!int"),
        ("a: ! b", "tags are not allowed: !"),
        ("a: 1\n---\nb: 2\n", "a second document starts here; a config is one document"),
        ("a: {use:tca}", "'use:tca' is a key without a value"),
        ("a: \"\\0\"", "text must not contain the character U+0000"),
        ("a: \"\\ud800\"", "text must not contain the character U+D800"),
        ("a: \x07", "the character U+0007 is not allowed in YAML"),
    ],
)  # fmt: skip
def test_refused(text, message):
    assert only(text).message == message


def test_quoted_merge_sign_is_a_plain_key():
    assert read("'<<': 1") == {"<<": 1}


def test_key_place_of_what_is_refused():
    assert reported("a: 1\n? {b: c}\n: d\n2: e\n") == [
        (2, 3, "a key must be text, not a mapping"),
        (4, 1, "a key must be text, and 2 is a number"),
    ]


def test_control_character_is_placed():
    problem = only("a: 1\nb: x\x00y\n")
    assert (problem.place.line, problem.place.column) == (2, 5)
    assert problem.place.source == "b: x?y"


@pytest.mark.parametrize(
    "text, line, column, message, hint",
    [
        ("about: RTFM: one stream", 1, 12, "mapping values are not allowed here",
         "quote text that contains ': ', as in about: \"RTFM: one stream\""),
        ("a: b\n  c: d", 2, 4, "mapping values are not allowed here",
         "the line above already has a value, so nothing can be nested under it"),
        ("a:\n\tb: c", 2, 1, "found character '\\t' that cannot start any token",
         "indent with spaces; YAML does not allow tabs there"),
        ("a: @b", 1, 4, "found character '@' that cannot start any token",
         "quote text that begins with this character"),
        ("a: 1\nb\n", 2, 1, "could not find expected ':'",
         "in a mapping each line reads 'key: value', with a space after the colon"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "expected <block end>, but found '<block mapping start>'",
         "this line is indented differently from its neighbours, or a quote was closed too early"),
        ("a: [1, 2", 1, 9, "expected ',' or ']', but got '<stream end>'",
         "a comma or a closing bracket is missing before this"),
        ("a: 'b", 1, 6, "found unexpected end of stream", "a quote is not closed"),
    ],
)  # fmt: skip
def test_parser_problems_keep_its_words(text, line, column, message, hint):
    problem = only(text)
    assert problem.message == f"this is not YAML: {message}"
    assert problem.hint == hint
    assert (problem.place.line, problem.place.column) == (line, column)


def test_where_the_open_bracket_is():
    assert [str(note) for note in only("a: 1\nb: {c: 1\n").notes] == ["while parsing a flow mapping, x.yaml:2:4"]


def test_problems_before_a_parser_problem_are_kept():
    assert [said[2] for said in reported("a: 1\na: 2\nb: [\n")][0] == "a is written twice; first at line 1"
    assert len(reported("a: 1\na: 2\nb: [\n")) == 2


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, "{a: " * 50_000, "- " * 60_000, "? " * 60_000, "\n".join(" " * i + "a:" for i in range(600))],
)
def test_deep_nesting_is_refused_quickly(text):
    assert only(text).message == "values are nested more than 50 deep"


def test_escape_beyond_unicode():
    assert only('a: "\\UFFFFFFFF"').message.startswith("this is not YAML: ")


def test_line_ends_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\rc: 3\n")
    source = load_config(path)
    assert source.data == {"a": 1, "b": 2, "c": 3}
    assert [source.place((key,)).line for key in "abc"] == [1, 2, 3]
    assert source.place(("a",)).source == "a: 1"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file is empty"),
        (b"# only words\n", "the file is empty"),
        (b"~\n", "the file is empty"),
        (b"- a\n", "a config is a mapping of keys to values, and this is a list"),
        (b"inputs\n", "a config is a mapping of keys to values, and this is the text 'inputs'"),
        (b"a: 1\nb: \xff\n", "the file is not UTF-8 text: byte 0xff"),
        ("a: 1".encode("utf-16"), "the file is not UTF-8 text: byte 0xff"),
        (b"a: " + b"x" * BYTES, "the file has 65,539 bytes; a config has at most 65,536"),
    ],
)  # fmt: skip
def test_files_that_are_no_config(tmp_path, content, message):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(VadkitError) as caught:
        load_config(path)
    assert [problem.message for problem in caught.value.problems] == [message]


def test_a_folder_is_no_config(tmp_path):
    with pytest.raises(VadkitError, match="is a folder\n  hint: name a file in it"):
        load_config(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(VadkitError, match="no file '.*none.yaml'"):
        load_config(tmp_path / "none.yaml")


def test_an_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("vadkit.graph.load.read_bytes", refuse)
    with pytest.raises(VadkitError, match="the file cannot be read: Permission denied"):
        load_config(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(VadkitError, match="no file"):
        load_config(tmp_path / "x.yaml")


def test_what_is_written_is_read_back():
    texts = [
        "1e-4",
        "1.0e-4",
        "0o17",
        "on",
        "null",
        "~",
        "true",
        "1_000",
        "",
        " a ",
        "a: b",
        "#",
        "caf\u00e9",
        "x\ny",
        "012",
    ]
    data = {"a": texts, "b": {"lr": 1e-5, "big": 1e300, "n": -3, "yes": True, "none": None}, "c": [], "d": {}, "1": "x"}
    assert read(write_text(data)) == data


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML is without libyaml")
def test_libyaml_reads_what_pyyaml_reads(monkeypatch, cases):
    """Every shipped file, and pieces of them with slips: the same values at the same places, and the same problems."""
    texts, rng = [path.read_text("ascii") for path in CONFIGS], random.Random(0)
    for text in rng.choices(texts, k=cases(300)):
        start = rng.randrange(len(text))
        piece = text[start : start + 300].partition("\n")[2]
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(piece) + 1)
            piece = piece[:at] + rng.choice(SLIPS) + piece[at + rng.randint(0, 1) :]
        texts.append(piece)
    quick = [read_text(text, "x.yaml") for text in texts]
    assert sum(not reading.problems for reading in quick) > len(CONFIGS) + 30
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert [read_text(text, "x.yaml") for text in texts] == quick


def test_a_tab_between_key_and_value_is_refused_whoever_parses():
    assert only("a:\tb: c").message.startswith("this is not YAML")
    assert only("about:\tx").place.column == 7
