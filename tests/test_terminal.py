"""What is printed: nothing that a terminal obeys, in every encoding, also where the output goes nowhere."""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vadkit.cli import main
from vadkit.cli.tables import plain_table, print_table
from vadkit.terminal import OBEYED, Clean, Encoded, OutputLost, clean, console, encodable, one_line

ROOT = Path(__file__).parent.parent
DIRTY = "a\x1b[31m\x1b]0;title\x07\x9b2J\x7f\r\x08\u202e[/b][red]\u4e2d\u2028z"
OBEYED_ONES = set("\x1b\x07\x9b\x7f\r\x08\u202e\u2028")


class Stream(io.TextIOWrapper):
    """A stream of some encoding that is, or is not, a terminal."""

    def __init__(self, encoding: str = "utf-8", terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


# -- text ------------------------------------------------------------------------------------------
@pytest.mark.guards("D14", "5.4")
def test_what_a_terminal_obeys_is_shown_as_a_question_mark() -> None:
    assert clean("a\x1b[2Jb\tc\n") == "a?[2Jb\tc\n"
    kept = [chr(i) for i in range(0x3000) if not OBEYED.match(chr(i))]
    assert "\n" in kept and "\t" in kept and "\u00e9" in kept and "\u200b" in kept
    obeyed = [*range(32), *range(127, 160), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
    assert [ord(c) for c in map(chr, range(0x3000)) if c not in kept] == [i for i in obeyed if chr(i) not in "\n\t"]
    assert one_line("two\n  lines\tand \x1b") == "two lines and ?"


@pytest.mark.guards("D13", "5.4")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "latin-1", "cp437", "shift_jis", None, "no"])
def test_what_an_encoding_lacks_is_escaped(encoding: str | None) -> None:
    text = "caf\u00e9 \u4e2d\u6587 \udce9 \U0001f600"
    shown = encodable(text, encoding)
    shown.encode(encoding if encoding not in (None, "no") else "utf-8")
    assert "\\udce9" in shown and shown.startswith("caf")
    assert ("\u4e2d" in shown) == (encoding in ("utf-8", "shift_jis", None))


@pytest.mark.guards("D14", "D12", "5.4")
@pytest.mark.parametrize("terminal", [True, False])
def test_a_console_shows_names_as_text(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(terminal=terminal)
    monkeypatch.setattr(sys, "stdout", stream)
    console().print(DIRTY)
    print_table(["name [b]", "value"], [[DIRTY, "1"]], right=["value"])
    shown = re.sub(r"\x1b\[[\d;]*m", "", stream.text())  # rich's own colours
    assert "a?[31m?]0;title??2J????[/b][red]\u4e2d?z" in shown and "name [b]" in shown
    assert not OBEYED_ONES & set(shown)


@pytest.mark.guards("D12", "5.4")
def test_a_bar_shows_names_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from vadkit.api.progress import showing
    from vadkit.api.train_progress import TrainProgress

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(terminal=True)
    monkeypatch.setattr(sys, "stderr", stream)
    with showing(True, "x[/b]") as report:
        report(1, 2, "[/red]" + DIRTY)
    progress = TrainProgress()
    progress.begin(0, 3)
    progress.record({"kind": "train", "losses": {"[/b]\x1b[2J": 1.0}, "steps_per_second": 1.0})
    progress.note("[/b]\x1b[2J")
    progress.end()
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\r", "", stream.text())
    assert "[/red]a?[31m" in shown and "[/b]?[2J" in shown and not OBEYED_ONES & set(shown)
    assert "\x1b[2J" not in stream.text()


def test_a_table_has_a_line_per_row_whatever_the_names() -> None:
    assert plain_table(["a", "b"], [["x", "1"]]) == "a  b\nx  1"


@pytest.mark.guards("D12", "5.4")
def test_there_is_no_other_way_to_the_terminal() -> None:
    """Console is made in one place, and the columns of a bar take no markup."""
    files = [path for path in (ROOT / "vadkit").rglob("*.py") if path != ROOT / "vadkit" / "terminal.py"]
    calls = [
        (path.name, node)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    names = [ast.unparse(call.func).rpartition(".")[2] for _, call in calls]
    assert len(calls) > 5000 and "TextColumn" in names
    for (file, call), name in zip(calls, names, strict=True):
        keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert name not in ("Console", "from_markup", "rprint"), file
        assert name != "TextColumn" or keywords.get("markup") == "False", file
        assert keywords.get("markup", "False") == "False", file
        if name == "add_row" and ast.unparse(call.func).startswith("table"):
            assert "Text" in ast.unparse(call), file
    written = {file for file, call in calls if "sys.__std" in ast.unparse(call.func)}
    assert not written


# -- streams that cannot be written ----------------------------------------------------------------
class Full(Stream):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        pass


@pytest.mark.guards("D9", "5.4")
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            OSError(28, "No space left on device"),
            2,
            "vadkit: cannot write to standard output: No space left on device\n",
        ),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
        (OSError(5, "Input/output error"), 2, "vadkit: cannot write to standard output: Input/output error\n"),
    ],
)
@pytest.mark.parametrize("command", [["--help"], ["--version"], ["list", "plugins"], ["list", "plugins", "--json"],
                                     ["build", "--help"], ["info", "train"]])  # fmt: skip
def test_output_that_cannot_be_written(
    error: OSError, code: int, said: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Stream()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdout", Full(error))
    assert main(command) == code and shown.text() == said


@pytest.mark.guards("D9", "5.4")
def test_errors_that_cannot_be_shown_change_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Full(OSError(28, "full")), Full(BrokenPipeError(32, "gone"))):
        monkeypatch.setattr(sys, "stderr", stream)
        assert main(["nonsense"]) == 2 and main(["build", "--nonsense"]) == 2 and main(["--version"]) == 0


@pytest.mark.guards("D9", "5.4")
def test_the_streams_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.stdout, sys.stderr
    main(["--version"])
    assert (sys.stdout, sys.stderr) == before
    with pytest.raises(OutputLost):
        Encoded(Full(OSError(28, "full")), needed=True).write("x")
    stream = Clean(Stream("ascii", terminal=True), needed=True)
    assert stream.isatty() and stream.writable() and stream.encoding == "ascii"


@pytest.mark.guards("D9", "5.4")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("{} --help > /dev/full", 2, "vadkit: cannot write to standard output: No space left on device\n"),
        ("{} list plugins --json > /dev/full", 2, "vadkit: cannot write to standard output: No space left on device\n"),
        ("{} list plugins | true; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("{} --help | true; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("{} --help >&-", 0, ""),
        ("{} list plugins >&- 2>&-", 0, ""),
        ("{} list plugins 0>&- 1>&- 2>&-", 0, ""),
        ("{} nonsense 2>&-", 2, ""),
        ("{} nonsense 2> /dev/full", 2, ""),
        ("{} nonsense > /dev/full 2>&1", 2, ""),
        ("ulimit -v 400000; {} build demo_rgb", 2, "vadkit: the process may use only 0.38 GiB of memory"),
    ],
)
def test_shells(command: str, code: int, said: str) -> None:
    text = command.format(f"{sys.executable} -m vadkit")
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == code and done.stdout == ""
    assert done.stderr == said or (said and done.stderr.startswith(said) and done.stderr.count("\n") == 2)


# -- names in commands -----------------------------------------------------------------------------
NAMES = {
    "escape": "x\x1b]0;owned\x07\x1b[31m",
    "markup": "x[red]",
    "chinese": "x\u4e2d\u6587",
    "not UTF-8": "x\udce9",
    "bidi": "x\u202e\u2066",
    "C1": "x\x9b2J",
}
GRAPH = """\
about: "{about}"
inputs: {{rgb: b t 8}}
nodes:
  h: {{use: dense, in: rgb, args: {{dim: 4}}}}
  score: {{use: causal_conv, in: h}}
losses: {{mil: {{use: topk_mil, in: score}}}}
output: score
"""


def escaped(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else f"\\u{ord(c):04x}" for c in name)


@pytest.fixture
def files(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Return a folder with a graph, a misspelt graph, a spec, a broken store and a list, all with the name."""
    name = request.param
    plain = name if "\udce9" not in name else "x"
    (tmp_path / f"{name}.yaml").write_text(GRAPH.format(about=escaped(plain)))
    wrong = GRAPH.format(about="").replace("use: dense", f'use: "{escaped(plain)}"')
    (tmp_path / f"{name}-wrong.yaml").write_text(wrong)
    spec = f'about: "{escaped(plain)}"\nconfig: "{escaped(plain)}"\nvariants: {{"{escaped(plain)}": {{}}}}\n'
    (tmp_path / f"{name}-spec.yaml").write_text(spec)
    store = tmp_path / f"{name}-store"
    store.mkdir()
    head = '{"vadkit_store": 1, "snippet_frames": 16, "streams": {"rgb": {"dim": 4, "recipe": {"backbone": "NAME"}}}, '
    head += '"classes": ["normal", "NAME"], "data_set": "NAME", "made_with": {"NAME": "1"}}'
    (store / "store.json").write_text(head.replace("NAME", escaped(plain)))
    (store / "videos.json").write_text("[]")
    (tmp_path / f"{name}.csv").write_text("")
    return tmp_path, name


COMMANDS = {
    "build": ["build", "{}.yaml"],
    "resolved": ["build", "{}.yaml", "--resolved"],
    "wrong graph": ["build", "{}-wrong.yaml"],
    "info": ["info", "{}.yaml"],
    "set": ["build", "{}.yaml", "--set", "nodes.h.use={n}"],
    "unknown verb": ["{n}"],
    "unknown option": ["build", "--{n}"],
    "unknown component": ["info", "{n}"],
    "list": ["list", "{n}"],
    "model": ["eval", "--model", "{}.yaml"],
    "bench": ["bench", "swap", "--spec", "{}-spec.yaml"],
    "store info": ["store", "info", "{}-store"],
    "store check": ["store", "check", "{}-store"],
    "store diff": ["store", "diff", "{}-store", "{}-none"],
    "import": ["store", "import", "own", "--root", "{}-none"],
    "extract": ["extract", "{}-none", "--stream", "audio=logmel_stats", "--out", "{}-out"],
    "predict": ["predict", "{}-none", "--model", "{}.yaml", "--out", "{}-out"],
    "corrupt": ["corrupt", "{}-none", "--with", "blur:1", "--out", "{}-out"],
    "robust": ["bench", "robust", "{}-none", "--with", "{n}", "--out", "{}-out"],
    "train": ["train", "{}.yaml", "--out", "{}-run", "--set", "data.args.root={n}"],
    "weights": ["weights", "check", "{}.csv"],
    "new plugin": ["new-plugin", "{n}"],
}


@pytest.mark.guards("D12", "D13", "D14", "5.4")
@pytest.mark.parametrize("files", NAMES.values(), ids=NAMES, indirect=True)
def test_names_of_any_kind(files: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """22 commands, in turn in an ASCII, a Windows and a UTF-8 terminal, and in a pipe."""
    folder, name = files
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "300")
    shown_somewhere = 0
    for number, (what, command) in enumerate(COMMANDS.items()):
        encoding = ("ascii", "cp1252", "utf-8")[number % 3]
        out, err = Stream(encoding), Stream(encoding)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        code = main([word.replace("{}", name).replace("{n}", name) for word in command])
        text = out.text() + err.text()
        assert code in (0, 1, 2) and "Traceback" not in text, what
        assert not OBEYED.search(text), what
        shown_somewhere += encodable(clean(name), encoding) in text
    assert shown_somewhere > len(COMMANDS) // 2


@pytest.mark.guards("D13", "5.4")
@pytest.mark.parametrize("set_to", [("LC_ALL", "C"), ("PYTHONIOENCODING", "ascii"), ("PYTHONIOENCODING", "cp1252")])
def test_locales(tmp_path: Path, set_to: tuple[str, str]) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9\xe4\xb8\xad\x1b[2J.yaml")).write_text("about: x\n")
    code = "import sys, os; from vadkit.cli import main; sys.exit(main([os.listdir('.')[0]]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=120,
                          env={**os.environ, "PYTHONUTF8": "0", set_to[0]: set_to[1]})  # fmt: skip
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"\x1b" not in done.stderr
    assert b"there is no verb 'caf" in done.stderr
