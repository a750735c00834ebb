"""What is too large to be meant, and numbers of the other kind."""

import random
import resource
import time
from pathlib import Path

import pytest

import vadkit
from vadkit import VadkitError
from vadkit.graph.arguments import arguments
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.kinds import BATCH_PORTS
from vadkit.plugin_manager import load_plugins
from vadkit.problems import Place, Problem, nearest, unknown
from vadkit.shapes import parse_ports

pytestmark = pytest.mark.guards("D19", "5.3")


def build(component, **args):
    nodes = {"block": {"use": component, "in": "rgb", "args": args}, "score": {"use": "mlp_head", "in": "block"}}
    return vadkit.build({"inputs": {"rgb": "b t 8"}, "nodes": nodes, "output": "score"})


@pytest.mark.parametrize("args", [{"gamma": 1}, {"gamma": 1.0}])
def test_a_whole_number_is_a_float_where_one_is_asked_for(args):
    gamma = build("tca", **args).spec["nodes"]["block"]["args"]["gamma"]
    assert gamma == 1.0 and isinstance(gamma, float)


@pytest.mark.parametrize(
    "component, args, message",
    [
        ("dense", {"dim": 10**12}, "must be a whole number of at most 1000000, got 1000000000000"),
        ("dense", {"dim": 0}, "block.dim must be above 0, got 0"),
        ("dense", {"dim": -3}, "block.dim must be above 0, got -3"),
        ("dense", {"dim": 3.0}, "block.dim must be a whole number or null, got 3.0"),
        ("transformer", {"depth": 10**6}, "it would consist of more than 2000 modules"),
        ("temporal_conv", {"dim": 10**6, "kernel": 10**6}, "parameters"),
    ],
)
def test_sizes_that_are_not_meant(component, args, message):
    with pytest.raises(VadkitError) as caught:
        build(component, **args)
    assert len(caught.value.problems) == 1
    assert message in caught.value.problems[0].message


def test_an_input_of_a_size_that_is_not_meant():
    with pytest.raises(VadkitError, match="input 'rgb' has size 1000001; sizes go up to 1000000"):
        vadkit.build(
            {"inputs": {"rgb": "b t 1000001"}, "nodes": {"s": {"use": "mlp_head", "in": "rgb"}}, "output": "s"}
        )


# -- very many ---------------------------------------------------------------------------------------
RGB = {"inputs": {"rgb": "b t 8"}, "nodes": {"score": {"use": "mlp_head", "in": "rgb"}}, "output": "score"}


def spelt(number):
    return "".join(random.Random(number).choices("abcdefghij_klm", k=9)).strip("_") + str(number)


def laid_over(section, entries):
    return {**RGB, section: {**RGB.get(section, {}), **entries}}


def nodes(count, **node):
    return laid_over("nodes", {spelt(number): {**node, "use": f"dens{number}"} for number in range(count)})


MANY = {
    "misspelt nodes": (nodes(5000, **{"in": "rgb"}), "the graph has 5,001 nodes; it can have at most 500"),
    "inputs": (laid_over("inputs", dict.fromkeys(map(spelt, range(5000)), "b t 8")), "the graph has 5,001 inputs"),
    "losses": (laid_over("losses", dict.fromkeys(map(spelt, range(5000)), {})), "the graph has 5,000 losses"),
    "components": (nodes(499, **{"in": "rgb"}), "unknown component 'dens0'"),
    "sources": (
        laid_over("nodes", {f"node_{i}": {"use": "dense", "in": f"noed_{i}"} for i in range(499)}),
        "unknown input or node 'noed_0'",
    ),
    "sources of one node": (
        laid_over("nodes", {"all": {"use": "concat", "in": [spelt(i) for i in range(10_000)]}}),
        "unknown input or node",
    ),
    "keys of nodes": (
        laid_over("nodes", {f"node_{i}": {"usee": "dense", "inn": "rgb"} for i in range(499)}),
        "unknown key 'nodes.node_0.usee'",
    ),
    "names": (laid_over("nodes", {f"_{i}": {"use": "dense", "in": "rgb"} for i in range(499)}), "node name '_0'"),
    "keys": ({**RGB, **dict.fromkeys(map(spelt, range(10_000)), 1)}, "unknown key"),
    "arguments": (
        {
            **RGB,
            "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": dict.fromkeys(map(spelt, range(9000)), 1)}},
        },
        "unknown argument",
    ),
    "streams": ({**RGB, "data": {"streams": dict.fromkeys(map(spelt, range(9000)), "x")}}, "unknown input"),
    "groups": ({**RGB, "train": {"groups": [{"nodes": [spelt(i)]} for i in range(5000)]}}, "unknown node"),
    "postprocesses": ({**RGB, "eval": {"post": [{"use": spelt(i)} for i in range(5000)]}}, "unknown component"),
    "files": ({**RGB, "extends": [spelt(i) for i in range(5000)]}, "extends names 5,000 files; it can name at most 50"),
}


@pytest.mark.parametrize(("config", "message"), MANY.values(), ids=MANY)
def test_very_many_are_refused_in_time(config, message):
    start = time.perf_counter()
    with pytest.raises(VadkitError) as caught:
        vadkit.build(config)
    assert time.perf_counter() - start < 8  # a second or two on a free core; minutes before
    assert message in str(caught.value) and len(str(caught.value)) < 20_000


def test_a_file_of_250_kb_of_misspelt_nodes(tmp_path):
    path = tmp_path / "g.yaml"
    lines = "".join(f"  {spelt(i)}: {{use: dens{i}, in: {spelt(i + 1)}}}\n" for i in range(5500))
    path.write_text("inputs: {rgb: b t 8}\noutput: score\nnodes:\n" + lines)
    start = time.perf_counter()
    with pytest.raises(VadkitError, match=f"the file has {path.stat().st_size:,} bytes; a config has at most 65,536"):
        vadkit.build(path)
    assert time.perf_counter() - start < 2


def test_a_long_chain_of_nodes_builds():
    chain = {f"n{i}": {"use": "dense", "in": f"n{i - 1}" if i else "rgb", "args": {"dim": 2}} for i in range(499)}
    back = dict(reversed(chain.items()))  # each node before the one that feeds it
    model = vadkit.build({**RGB, "nodes": {**back, "score": {"use": "mlp_head", "in": "n498"}}})
    assert len(model.plan.steps) == 500


def test_near_names_are_looked_for_only_where_they_are_shown(monkeypatch):
    looked = []
    monkeypatch.setattr("vadkit.problems.nearest", lambda word, known: looked.append(word) or nearest(word, known))
    places = [Place("f", line, 1) for line in range(100)]
    error = VadkitError(unknown(f"rgb{i}", ["rgb"], "input", place=place) for i, place in enumerate(places))
    assert len(looked) == 20 and error.problems[19].hint == "did you mean 'rgb'?" and error.problems[20].hint is None


def test_a_hint_that_is_found_later_does_not_make_problems_differ():
    one, other = (Problem("m", later=lambda: "x") for _ in range(2))
    assert one == other and one.settled().hint == "x" and one.settled(False).hint is None


@pytest.mark.parametrize(
    ("key", "value", "limit"),
    [("data.batch", 10**9, 65536), ("train.accumulate", 100_000, 1024), ("data.workers", 10**5, 1024)],
)
def test_counts_of_training(key, value, limit):
    with pytest.raises(VadkitError, match=rf"{key} must be a whole number from \d to {limit}, got {value}"):
        vadkit.build(RGB, set=f"{key}={value}")


@pytest.mark.parametrize(
    ("component", "args"),
    [
        ("transformer", {"depth": 100_000}),
        ("transformer", {"heads": 10**12}),
        ("temporal_conv", {"kernel": 10**12}),
        ("tca", {"hidden": 10**12}),
        ("tca", {"window": 10**12}),
    ],
)
def test_sizes_are_refused_by_arithmetic(component, args):
    start = time.perf_counter()
    with pytest.raises(VadkitError):
        build(component, **args)
    assert time.perf_counter() - start < 5


def sized_arguments():
    """Return every whole-number argument of every component that a graph can hold."""
    components = load_plugins().components
    found = []
    for kind in ("temporal", "fusion", "head", "loss"):
        for name in components.names(kind):
            component = components.find(name)
            whole = [a for a in arguments(component).values() if a.is_list or a.type in (int, int | None)]
            found += [pytest.param(component, a, id=f"{name}.{a.name}") for a in whole]
    return found


def with_component(component, args):
    """Return a graph of one component, its ports wired to an input or to scores."""
    wires = {}
    for name, port in parse_ports(component.inputs).items():
        if name not in BATCH_PORTS and not port.optional:
            source = "rgb" if len(port.pattern.tokens) == 3 else "score"
            wires[name] = [source] if port.variadic else source
    item = {"use": component.name, "in": wires, "args": args}
    other = {"losses": {"it": item}} if component.kind == "loss" else {"nodes": {**RGB["nodes"], "it": item}}
    return {**RGB, **other}


@pytest.mark.parametrize(("component", "argument"), sized_arguments())
def test_a_million_in_any_argument_costs_nothing(component, argument):
    before, start = memory_now(), time.perf_counter()
    for value in (10**6, 2000):
        try:
            args = {argument.name: [value] if argument.is_list else value}
            compile_plan(load_config(with_component(component, args)), load_plugins())
        except VadkitError as error:
            assert error.problems[0].message
    assert time.perf_counter() - start < 30 and memory_now() - before < 500 << 20


def memory_now():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
