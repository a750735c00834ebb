"""Many damaged configs: each gets its problems or builds; nothing else is ever raised. More with VADKIT_THOROUGH=1.

Three kinds of damage, all from a fixed seed: to the text of a file, to its data, and by overrides.
Modules are built on the meta device only, so sizes cost nothing.
"""

import copy
import json
import random
from pathlib import Path

import pytest
import torch
import yaml

from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError, render

CONFIGS = Path(__file__).parent.parent.parent / "registry_configs"
SMALL = """\
about: a small graph with one of everything
inputs: {rgb: b t 16, clip: b t 8}
nodes:
  context: {use: tca, in: rgb, args: {hidden: 4, window: 3}}
  reduce: {use: dense, in: {x: context, skip: rgb}, args: {dropout: 0.1}}
  pick: {use: topk_nominator, in: clip, args: {samples: 2}}
  both: {use: concat, in: [reduce, pick.x]}
  twin: {use: temporal_conv, in: both, share: a, detach: true}
  score: {use: causal_conv, in: twin}
  helper: {use: mlp_head, in: context, when: train}
losses:
  mil: {use: topk_mil, in: score, weight: 1.0}
  hint: {use: distillation, in: {scores: helper, teacher: score}, weight: 0.1}
output: score
data: {use: feature_store, args: {root: somewhere}, streams: {rgb: rgb, clip: clip}, sampler: {use: uniform_pad}}
train: {epochs: 2, optimizer: {use: adam, lr: 1.0e-4}, groups: [{nodes: [context], lr: 1.0e-6}]}
eval: {metric: ap, post: [{use: score_smoothing, args: {kappa: 2}}]}
"""
JUNK = [
    None, True, False, 0, 1, -1, 3.5, -0.0, 1e300, 10**6, 10**12, 2**63 - 1, -(2**63), 2**70,
    float("inf"), float("nan"),
    "", " ", "rgb", "context", "score", "score.x", "score.scores", "nodes", ".", "..", "a.b.c", "tca", "topk_mil",
    "b t 9",
    "b t 0", "b t x", "os.path.join", "null", "1e-4", "\x00", "\ud800", "\u2028", "caf\u00e9", "%s{}", "x" * 3000,
    [], [[]], ["rgb"], ["rgb", "rgb"], [None], [1, "a"], [[["rgb"]]], {}, {"x": "rgb"}, {"use": "tca"}, {"use": None},
    {"": {}}, {"args": {"args": {}}}, {"use": {"use": "tca"}}, (1, 2), {1: 2}, b"bytes", object(),
]  # fmt: skip
TOKENS = [
    ": ", ":", "- ", "? ", "{", "}", "[", "]", ",", "&a ", "*a", "!!python/name:os.system ", "!", "|", ">", "'", '"',
    "#",
    "%", "@", "`", "\t", "\n", "\r", "\n  ", "\n---\n", "...", "<<: ", "~", "0", "1e999", "-", "\x00", "\x85", "\ufeff",
    "\u2028", "extends: nothing\n", "null", "true", ".nan", '"\\UFFFFFFFF"', '"\\x"', "9" * 40,
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def outcome(config, sets=()):
    """Compile and return "built" or the first message. Any other exception fails the test."""
    plugins = load_plugins()
    try:
        plan = compile_plan(load_config(config, sets, plugins.config_folders), plugins)
    except VadkitError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message.strip() and "\n" not in problem.message
            assert "Traceback" not in problem.message
        render(error.problems).encode()
        return error.problems[0].message
    json.dumps(plan.spec, allow_nan=False)
    return "built"


def spots(value, path=()):
    """Return every place of a tree as (path to its parent, key)."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [spot for key, child in children for spot in [(path, key), *spots(child, (*path, key))]]


def at(value, path):
    for key in path:
        value = value[key]
    return value


def damage_data(data, rng):
    """Change one place of a config's data."""
    path, key = rng.choice(spots(data))
    parent = at(data, path)
    kind = rng.randrange(7)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        parent[key] = copy.copy(rng.choice(JUNK))
    elif kind == 2 and isinstance(parent, dict):
        name = str(key)
        cut = rng.randrange(len(name) + 1)
        parent[name[:cut] + rng.choice(["", "_", "x", ".", " "]) + name[cut + 1 :]] = parent.pop(key)
    elif kind == 3:  # something from elsewhere in the file
        other, name = rng.choice(spots(data))
        parent[key] = copy.deepcopy(at(data, other)[name])
    elif kind == 4 and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = parent[key] * rng.choice([-1, 0, 1e3, 1e9, 1e300, 10**9, 0.5])
    elif kind == 5 and isinstance(parent, dict):
        parent[rng.choice(["in", "use", "args", "weight", "share", "when", "detach", "x", "nodes"])] = copy.copy(
            rng.choice(JUNK)
        )
    else:
        parent[key] = [parent[key], parent[key]] if rng.random() < 0.5 else {"x": parent[key]}


def damage_text(text, rng):
    """Change one spot of a config's text."""
    kind, i = rng.randrange(6), rng.randrange(len(text))
    lines = text.split("\n")
    line = rng.randrange(len(lines))
    if kind == 0:
        return text[:i] + rng.choice(TOKENS) + text[i:]
    if kind == 1:
        return text[:i] + text[i + rng.randrange(1, 30) :]
    if kind == 2:
        return (
            text[:i] + chr(rng.choice([0, 7, 9, 32, 58, 123, 125, 0x7F, 0xE9, 0x2028, 0xFFFE, 0x1F600])) + text[i + 1 :]
        )
    if kind == 3:
        lines[line] = " " * rng.randrange(5) + lines[line].lstrip()
    elif kind == 4:
        lines.insert(rng.randrange(len(lines)), lines[line])
    else:
        del lines[line]
    return "\n".join(lines)


def several(damage, value, rng):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        changed = damage(value, rng)
        value = value if changed is None else changed
        if not value:
            break
    return value


def varied(outcomes):
    """A fuzz whose damage is always the same, or never seen, tests nothing."""
    return "built" in outcomes and len(set(outcomes)) > 60


def test_damaged_text(tmp_path, monkeypatch, cases):
    monkeypatch.setattr("vadkit.graph.compiler.dry_run", lambda *_: [])  # the other tests run it
    rng = random.Random(1)
    texts = [
        SMALL,
        SMALL,
        *((CONFIGS / "graphs" / name).read_text() for name in ("pel4vad/pel4vad_xd.yaml", "seed/seed_xd_rgb.yaml")),
    ]
    outcomes = []
    for _ in range(cases(250)):
        text = several(damage_text, rng.choice(texts), rng)
        path = tmp_path / "damaged.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        outcomes.append(outcome(path))
    assert varied(outcomes)


def test_random_bytes(tmp_path, cases):
    rng = random.Random(2)
    path = tmp_path / "damaged.yaml"
    outcomes = []
    for _ in range(cases(150)):
        raw = bytearray(SMALL.encode())
        for _ in range(rng.randrange(1, 20)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        path.write_bytes(raw if rng.random() < 0.7 else rng.randbytes(rng.randrange(200)))
        outcomes.append(outcome(path))
    assert len(set(outcomes)) > 30


def test_damaged_data(cases):
    rng = random.Random(3)
    configs = [load_text(SMALL).data, load_text(SMALL).data, load_config("pel4vad_xd", folders=[CONFIGS]).data]
    outcomes = [outcome(several(damage_data, copy.deepcopy(rng.choice(configs)), rng)) for _ in range(cases(250))]
    assert varied(outcomes)


def test_damaged_data_of_the_largest_graph(cases):
    rng = random.Random(4)
    data = load_config("seed_xd_three_stream", folders=[CONFIGS]).data
    outcomes = [outcome(several(damage_data, copy.deepcopy(data), rng)) for _ in range(cases(60))]
    assert "built" in outcomes and len(set(outcomes)) > 25


def test_damaging_overrides(cases):
    rng = random.Random(5)
    data = load_text(SMALL).data
    outcomes = []
    for _ in range(cases(250)):
        sets = [override(data, rng) for _ in range(rng.choice([1, 1, 2, 3]))]
        outcomes.append(outcome(data, sets))
    assert varied(outcomes)


def override(data, rng):
    path, key = rng.choice(spots(data))
    keys = [str(part) for part in (*path, key)]
    if rng.random() < 0.3:
        keys[rng.randrange(len(keys))] = rng.choice(["", "x", "0", "use", "args", "nodes", "-1", "\u2028"])
    if rng.random() < 0.1:
        keys.append(rng.choice(["x", "0", "use"]))
    value = rng.choice([*TOKENS, *(str(junk) for junk in JUNK), "[1, 2]", "{x: rgb}", "{use: tca}"])
    return ".".join(keys) + rng.choice(["=", "=", "=", "=", "", "=="]) + value


def load_text(text):
    return load_config(yaml.safe_load(text))


def test_undamaged_configs_build():
    plans = [load_text(SMALL).data, load_config("pel4vad_xd", folders=[CONFIGS]).data]
    assert [outcome(data) for data in plans] == ["built", "built"]
