"""Write a plugin package that installs, passes its own contract test and builds in a graph."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import re
import shutil
from pathlib import Path

from vadkit.problems import fail

YAML_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")  # read as something else
LONGEST = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from vadkit.templates import KINDS

    parser.add_argument("name", metavar="NAME", help="name of the component, in snake_case, as graphs use it")
    parser.add_argument("--kind", choices=KINDS, default="temporal", help="what it is (default: temporal)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: vadkit-NAME)")


def run(args: argparse.Namespace) -> int:
    from vadkit import __version__
    from vadkit.templates import package_files

    check_name(args.name)
    dashed = args.name.replace("_", "-")
    out = args.out or Path(f"vadkit-{dashed}")
    words = {"name": args.name, "dashed": dashed, "Class": class_name(args.name), "version": __version__}
    files = package_files(args.kind, words)
    write_folder(out, files)
    print(f"wrote {out}:")
    print("\n".join(f"  {path}" for path in files))
    print(f"next: cd {out} && pip install -e '.[test]' && pytest && vadkit build {args.name}")
    return 0


def check_name(name: str) -> None:
    """Raise VadkitError for a name that no component can have, or that is taken."""
    if name.startswith("vadkit_"):
        fail(
            f"leave 'vadkit_' out of '{name}': the module gets it by itself",
            hint=f"try '{name.removeprefix('vadkit_')}'",
        )
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST or name in YAML_WORDS:
        close = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")
        usable = close != name and re.fullmatch(r"[a-z][a-z0-9_]*", close) and close not in YAML_WORDS
        fail(
            f"'{name}' cannot be the name of a component: small letters, digits and single underscores, a letter "
            f"first, at most {LONGEST} long, and no word that YAML reads as something else",
            hint=f"try '{close[:LONGEST].strip('_')}'" if usable else None,
        )
    _refuse_taken(name)


def _refuse_taken(name: str) -> None:
    from vadkit.plugin_manager import load_plugins

    plugins = load_plugins()
    component = plugins.components.find(name)
    if component is not None:
        fail(f"plugin {plugins.components.owners[component]} already provides '{name}' ({component.kind})")
    for plugin in plugins.plugins:
        if plugin.name == name:
            fail(f"there is already a plugin '{name}': {plugin.module} ({plugin.origin})")
    if importlib.util.find_spec(f"vadkit_{name}") is not None:
        fail(f"there is already a module 'vadkit_{name}' in this environment")


def class_name(name: str) -> str:
    """Return the class for a component: tiny_conv -> TinyConv, and never a name that is imported next to it."""
    import vadkit

    camel = "".join(part.capitalize() for part in name.split("_"))
    return f"{camel}Block" if camel in {*vadkit.__all__, "Tensor", "Path", "Any", "True", "False", "None"} else camel


def write_folder(out: Path, files: dict[str, str]) -> None:
    """Write all files or none. Raises VadkitError if there is something at ``out``, or it cannot be written."""
    if (out.exists() or out.is_symlink()) and not (out.is_dir() and not any(out.iterdir())):
        fail(f"'{out}' already exists, and nothing is overwritten", hint="choose another folder with --out")
    was_there = out.is_dir()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            (out / path).parent.mkdir(exist_ok=True)
            (out / path).write_text(text, "ascii")
    except OSError as error:
        _take_back(out, files, was_there)
        fail(f"'{out}' cannot be written: {error.strerror or error}")


def _take_back(out: Path, files: dict[str, str], was_there: bool) -> None:
    """Remove what was written before it failed; the folder held nothing else."""
    with contextlib.suppress(OSError):
        for path in {Path(path).parts[0] for path in files}:
            if (out / path).is_dir():
                shutil.rmtree(out / path)
            else:
                (out / path).unlink(missing_ok=True)
        if not was_there:
            out.rmdir()
