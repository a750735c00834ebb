"""Measure how fast systems are, next to the authors' way and to the limit of the device.

Train step and scoring of each system's largest graph, and how scoring grows with the length of the video. The authors'
way needs --restatements; benchmarks/restatements of a checkout has those that come with vadkit. The result file is
written after each point: run the same command again to go on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vadkit.cli.completion import config_names
from vadkit.cli.options import add_device

WHAT = ("step", "growth", "components", "loading", "extraction", "startup")
BOUNDS = {"bags": (2, 10**4), "snippets": (1, 10**6), "rounds": (3, 1000)}
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
MODES = ("eager", "compiled", "captured")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = parser.add_argument(
        "names", nargs="*", metavar="SYSTEM|GRAPH", help="a system, a graph or a YAML file (default: all systems)"
    )
    names.completer = config_names  # type: ignore[attr-defined]
    add_device(parser)
    parser.add_argument(
        "--what",
        default="step,growth",
        metavar="A,B,...",
        help=f"what to measure, of {', '.join(WHAT)}; the last three run scripts of a checkout (default: step,growth)",
    )
    parser.add_argument("--components", action="store_true", help="also each component, as a node of these graphs")
    parser.add_argument(
        "--precision",
        metavar="A,B,...",
        help=f"of {', '.join(PRECISIONS)} (default: those that the device is fast in)",
    )
    parser.add_argument("--mode", metavar="A,B,...", help=f"of {', '.join(MODES)} (default: eager; captured on CUDA)")
    parser.add_argument("--bags", metavar="N,...", help="bags of a batch (default: 4 on a CPU, 64 on CUDA)")
    parser.add_argument(
        "--snippets",
        metavar="N,...",
        help="snippets of a bag (default: as each graph trains; on a CPU fewer if a step is costly)",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of timing (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=12.0, metavar="S", help="ceiling of scoring one long video (default: 12)"
    )
    parser.add_argument("--minutes", type=float, metavar="N", help="begin nothing more after so long")
    parser.add_argument("--restatements", type=Path, metavar="DIR", help="folder of plugins with restatements")
    parser.add_argument("--again", action="store_true", help="replace the result file of another version or machine")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("vadkit-speed"),
        metavar="DIR|FILE.json",
        help="where results go; a folder has a file per device (default: vadkit-speed)",
    )


def run(args: argparse.Namespace) -> int:
    what = _words("what", args.what, WHAT)
    if scripts := [name for name in what if name in WHAT[3:]]:
        from vadkit.bench.speed.scripts import run_scripts

        run_scripts(scripts, args.device)
    return _measure(args, what) if set(what) & {*WHAT[:3]} else 0


def _measure(args: argparse.Namespace, what: list[str]) -> int:
    from vadkit.bench.speed.run import measure_all, open_run, restatements
    from vadkit.bench.speed.write import claimed, result_path, write_tables
    from vadkit.devices import choose_device
    from vadkit.plugin_manager import add_plugin_files, load_plugins
    from vadkit.terminal import console

    device = choose_device(args.device)
    if args.restatements is not None:
        add_plugin_files(args.restatements)
    plugins = load_plugins()
    wanted = _wanted(args, what, device, plugins, restatements(plugins))  # type: ignore[no-untyped-call]
    screen = console(stderr=True)
    path = result_path(args.out, device)
    with claimed(path):
        found = open_run(path, device, wanted.care, args.again)
        measure_all(wanted, found, path, device, plugins, lambda text: screen.print(text, soft_wrap=True, markup=False))
        files = write_tables(found, path)
    print("wrote " + ", ".join(map(str, files)))
    return 0


def _wanted(args, what, device, plugins, restated):  # type: ignore[no-untyped-def]  # torch is imported late
    from vadkit.backbones.frozen import has_bf16
    from vadkit.bench.speed.grid import Grid, graphs_of
    from vadkit.bench.speed.growth import LENGTHS
    from vadkit.bench.speed.measure import Care
    from vadkit.bench.speed.run import Wanted

    is_gpu = device.type == "cuda"
    fast = ["fp32", *(["tf32"] if is_gpu else []), *(["bf16"] if has_bf16(device.type) else [])]
    grid = Grid(
        _numbers("bags", args.bags) or [64 if is_gpu else 4],
        _numbers("snippets", args.snippets) or [None],
        _words("precision", args.precision, PRECISIONS) or fast,
        _words("mode", args.mode, MODES) or (["eager", "captured"] if is_gpu else ["eager"]),
    )
    graphs = graphs_of(args.names, plugins, restated)
    return Wanted(
        graphs,
        grid,
        named=graphs if args.names else (),
        steps="step" in what,
        components=args.components or "components" in what,
        lengths=LENGTHS if "growth" in what else (),
        seconds=args.seconds,
        minutes=args.minutes,
        care=Care(_bounded("rounds", args.rounds)),
    )


def _words(option: str, text: str | None, known: tuple[str, ...]) -> list[str]:
    """Return a list of words separated by commas. Raises VadkitError for an unknown one."""
    from vadkit.problems import VadkitError, unknown

    words = list(dict.fromkeys(word.strip() for word in (text or "").split(",") if word.strip()))
    problems = [unknown(word, known, "choice", f"of --{option}") for word in words if word not in known]
    if problems:
        raise VadkitError(problems)
    return words


def _numbers(option: str, text: str | None) -> list[int]:
    from vadkit.problems import fail

    found = []
    for word in filter(None, (word.strip() for word in (text or "").split(","))):
        if not word.isdecimal() or len(word) > 9:
            fail(f"--{option} takes whole numbers separated by commas, got '{word}'")
        found.append(_bounded(option, int(word)))
    return list(dict.fromkeys(found))


def _bounded(option: str, value: int) -> int:
    from vadkit.problems import fail

    least, most = BOUNDS[option]
    if not least <= value <= most:
        fail(f"--{option} must be from {least} to {most}, got {value}")
    return value
