"""Check a YAML graph and print what it becomes; of a recipe, check every round."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vadkit.cli.options import add_config, add_set, add_without

MARK = "<!-- drawn by vadkit build -->"  # the last line of a diagram: such a file may be replaced


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_set(parser, "nodes.context.use=gl_mhsa")
    add_without(parser)
    parser.add_argument("--resolved", action="store_true", help="print the config with every default and size")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    parser.add_argument("--diagram", type=Path, metavar="FILE.svg", help="draw the graph")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="MODEL.safetensors", help="write the model with fresh weights"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the fresh weights (default: 0)")
    parser.add_argument(
        "--snippets",
        type=int,
        default=200,
        metavar="N",
        help="snippets of the bag whose operations are counted (default: 200)",
    )


def run(args: argparse.Namespace) -> int:
    from vadkit.graph.without_compiler import without_compiler

    with without_compiler():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    from vadkit.cli.describe_recipe import build_recipe
    from vadkit.files import write_atomically
    from vadkit.plugin_manager import load_plugins
    from vadkit.problems import fail
    from vadkit.rounds import recipe_source

    if not 1 <= args.snippets <= 10**6:
        fail(f"--snippets must be from 1 to {10**6}, got {args.snippets}")
    plugins = load_plugins(args.without)
    if recipe_source(args.config, plugins):
        return build_recipe(args, plugins)
    if args.diagram:
        _check_diagram(args.diagram, args.config)
    model = _model(args, plugins)
    if args.diagram:
        from vadkit.graph.diagram import diagram

        write_atomically(args.diagram, f"{diagram(model).rstrip()}\n{MARK}\n".encode())
    if args.resolved:
        from vadkit.graph.yaml_reader import write_text

        print(write_text(model.spec), end="")
        return 0
    summary = _summary(model, args)
    if args.json:
        print(json.dumps(summary, indent=2))
    else:
        _print(summary, args)
    return 0


def _model(args: argparse.Namespace, plugins: Any) -> Any:
    """Return the model; without weights, which take time to draw, unless they are written."""
    from vadkit.api.build import build, check_seed
    from vadkit.graph.compiler import compile_plan
    from vadkit.graph.load import load_config
    from vadkit.graph.module import without_weights

    if args.out:
        return build(args.config, set=args.set, seed=args.seed, out=args.out, without=args.without)
    check_seed(args.seed)
    plan = compile_plan(load_config(args.config, args.set, plugins.config_folders), plugins)
    plan.weights.need_memory()
    return without_weights(plan)


def _check_diagram(path: Path, config: str) -> None:
    """Refuse a diagram of another format, or in place of a file that is not a diagram of vadkit."""
    from vadkit.problems import fail
    from vadkit.results_folder import claim

    if path.suffix.lower() != ".svg":
        fail(f"--diagram {path}: a diagram is an SVG", f"give it a name that ends in .svg, such as {path.stem}.svg")
    claim([path], [config], ours=lambda file: file.read_bytes().rstrip().endswith(MARK.encode()))


def _summary(model: Any, args: argparse.Namespace) -> dict[str, Any]:
    from vadkit.graph.cost import costs, parameters
    from vadkit.graph.plan import needs
    from vadkit.graph.stepper import obstacles
    from vadkit.plugin_manager import load_plugins

    plugins = load_plugins(args.without)
    owners, origin = plugins.components.owners, _origin(args, plugins.config_folders)
    cost = costs(model, args.snippets)
    nodes = [
        {
            "name": step.name,
            "component": step.component.name,
            "plugin": owners[step.component],
            "from": [str(ref) for port in step.wires for ref in step.of(port) if not ref.batch or port == "x"],
            "outputs": {port: str(pattern) for port, pattern in step.outputs.items()},
            "parameters": cost[step.name].parameters,
            "flops": cost[step.name].flops,
        }
        for step in model.plan.steps
    ]
    losses = [
        {
            "name": loss.name,
            "component": loss.component.name,
            "plugin": owners[loss.component],
            "from": [str(ref) for ref in loss.refs if not ref.batch],
            "weight": loss.weight.as_written(),
            "factor": str(loss.weight),
            "parameters": sum(p.numel() for p in model.losses[loss.name].parameters()),
        }
        for loss in model.plan.losses
    ]
    flops = [node["flops"] for node in nodes]
    return {
        "config": str(args.config),
        "about": model.spec.get("about"),
        "system": origin,
        "inputs": {name: str(pattern) for name, pattern in model.plan.inputs.items()},
        "nodes": nodes,
        "losses": losses,
        "output": str(model.plan.output),
        "output_range": model.output_range,
        "parameters": parameters(model),
        "snippets": args.snippets,
        "flops": None if None in flops else sum(flops),
        "lookahead": model.lookahead,
        "not_live": obstacles(model),
        "pieces": (model.spec["eval"]["sampler"] or {}).get("use"),
        "needs": [needs(step, name) for step, name, _ in model.plan.empty(model.spec)],
    }


def _live(summary: dict[str, Any]) -> str:
    """Return whether a score can be given while the video goes on, and if not, what prevents it."""
    reasons = summary["not_live"]
    return f"no live scores: {'; '.join(reasons)}" if reasons else "live scores snippet by snippet, see vadkit.stream"


def _origin(args: argparse.Namespace, folders: list[Path]) -> str | None:
    """Return which published system the graph is, or was changed from."""
    from vadkit.graph.load import load_config
    from vadkit.systems.card import read_cards
    from vadkit.systems.standing import standing

    found = standing(load_config(args.config, args.set, folders), read_cards(folders), folders)
    return None if found is None else str(found)


def _print(summary: dict[str, Any], args: argparse.Namespace) -> None:
    from vadkit.cli.tables import print_table

    print(f"{summary['about'] or summary['config']}\n")
    main = {f"{node['name']}.{next(iter(node['outputs']))}": node["name"] for node in summary["nodes"]}
    rows = [[name, "input", "", "", pattern, "", ""] for name, pattern in summary["inputs"].items()]
    for node in summary["nodes"]:
        rows.append(
            [
                node["name"],
                node["component"],
                node["plugin"],
                _from(node, main),
                next(iter(node["outputs"].values())),
                f"{node['parameters']:,}",
                _gflop(node["flops"], 3),
            ]
        )
    for loss in summary["losses"]:
        rows.append(
            [
                f"loss {loss['name']}",
                loss["component"],
                loss["plugin"],
                _from(loss, main),
                f"x {loss['factor']}",
                f"{loss['parameters']:,}",
                "",
            ]
        )
    columns = ["node", "component", "plugin", "from", "output", "parameters", "GFLOP"]
    # A terminal is narrow, and most plugins are called as their component.
    if sys.stdout.isatty() and all(row[2] in ("", row[1]) for row in rows):
        columns, rows = _without_plugins(columns), [_without_plugins(row) for row in rows]
    print_table(columns, rows, right=("parameters", "GFLOP"))
    ahead = "the whole video" if summary["lookahead"] == "all" else f"{summary['lookahead']} snippets"
    if summary["pieces"]:
        ahead += f", and at test time over the piece of {summary['pieces']} that it is in"
    print(
        f"\n{summary['parameters']:,} parameters\n{_gflop(summary['flops'])} GFLOP for one bag of "
        f"{summary['snippets']} snippets\na score looks ahead over {ahead}\n{_live(summary)}\n"
        f"output {summary['output']} ({summary['output_range']})"
    )
    if summary["system"]:
        print(f"system {summary['system']}")
    for need in summary["needs"]:
        print(f"before training: {need}")
    for path in filter(None, (args.diagram, args.out)):
        print(f"wrote {path}")


def _from(entry: dict[str, Any], main: dict[str, str]) -> str:
    """Name what is wired, without the port where it is the first one; of a node with many, not each."""
    nodes = [ref.partition(".")[0] for ref in entry["from"]]
    short = (f"{n}.*" if nodes.count(n) > 2 else main.get(r, r) for n, r in zip(nodes, entry["from"]))
    return ", ".join(dict.fromkeys(short))


def _gflop(flops: int | None, digits: int = 2) -> str:
    return "?" if flops is None else f"{flops / 1e9:.{digits}f}"


def _without_plugins(row: list[str]) -> list[str]:
    return [*row[:2], *row[3:]]
