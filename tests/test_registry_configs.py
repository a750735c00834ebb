"""Every graph and ablation builds, scores and trains; sizes are the authors'; overrides in comments work."""

from __future__ import annotations

import shlex
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from live_scores import assert_same, fed, streams_of, whole_video

import vadkit
from vadkit.graph.compiler import compile_plan
from vadkit.graph.cost import parameters
from vadkit.graph.load import load_config
from vadkit.graph.module import without_weights
from vadkit.graph.stepper import obstacles
from vadkit.kinds import BATCH_PORTS
from vadkit.plugin_manager import load_plugins
from vadkit.rounds.recipe import read_recipe
from vadkit.shapes import parse_ports

CONFIGS = Path(__file__).parent.parent / "registry_configs"
PAPERS = sorted(path for folder in ("graphs", "ablations") for path in (CONFIGS / folder).rglob("*.yaml"))
RECIPES = sorted((CONFIGS / "recipes").glob("*.yaml"))
# Graphs of each system.
GRAPHS = {
    "acf": 2,
    "ag_mil": 2,
    "avadclip": 2,
    "bn_wvad": 1,
    "clip_tsa": 3,
    "clip_tsa_i3d": 1,
    "cma_la": 1,
    "cnn_vit_tsan": 2,
    "cupl": 2,
    "gcn_cleaner": 3,
    "glance_vad": 2,
    "hl_net": 3,
    "hl_net_plus": 2,
    "hsn": 2,
    "lstc": 6,
    "macil_sd_full": 3,
    "macil_sd_light": 3,
    "mate": 2,
    "mavd": 1,
    "mcr": 2,
    "mgfn": 1,
    "motion_aware": 2,
    "msaf": 6,
    "msbt": 4,
    "ng_mil": 4,
    "oamfn": 1,
    "pang": 1,
    "pel4vad": 3,
    "rtfm": 2,
    "seed": 7,
    "sultani": 1,
    "tca_retrieval": 1,
    "tca_vad": 2,
    "tcn_ibl": 1,
    "umil": 2,
    "ur_dmu": 2,
    "vadclip": 2,
    "wsv_gst": 3,
}
# Graphs that give live scores: no node looks at the whole video.
LIVE = {
    "acf_generator_xd",
    "ag_mil_sht",
    "ag_mil_ucf",
    "cupl_classifier_ucf",
    "cupl_generator_ucf",
    "gcn_cleaner_classifier_ucf",
    "gcn_cleaner_noisy_ucf",
    "lstc_ltn_sht",
    "lstc_stn_labels_sht",
    "lstc_stn_labels_ucf",
    "lstc_stn_sht",
    "lstc_stn_ucf",
    "msaf_refiner_sht",
    "msaf_refiner_ucf",
    "msaf_refiner_xd",
    "seed_xd_rgb_causal",
    "seed_xd_three_stream_causal",
    "series_1",
    "umil_labels_ucf",
    "umil_ucf",
}
# Counted in the authors' code, losses with weights included.
PARAMETERS = {
    "seed_xd_rgb": 8_215_094,
    "seed_sht_rgb": 8_215_094,
    "seed_ucf_rgb": 8_216_894,
    "wsv_gst_xd": 8_215_094,
    "wsv_gst_sht": 8_215_094,
    "wsv_gst_ucf": 8_216_894,
    "seed_xd_rgb_flow": 9_977_294,
    "seed_xd_three_stream": 10_295_497,
    "pel4vad_xd": 1_207_349,
    "pel4vad_sht": 1_207_349,
    "pel4vad_ucf": 1_209_149,
    "bn_wvad_xd": 5_791_905,
    # without the layers that narrow wide features
    "clip_tsa_ucf": 2_728_834 - 1_050_112,
    "clip_tsa_sht": 2_728_834 - 1_050_112,
    "clip_tsa_xd": 2_728_834 - 1_050_112,
    "clip_tsa_i3d_ucf": 4_301_698,
    "cma_la_xd": 1_004_419,
    "cupl_classifier_ucf": 2_114_146,
    "gcn_cleaner_graph_ucf": 4096 * 512 + 512 + 512 * 128 + 128 + 2 * (128 * 32 + 32),
    "hl_net_xd": 842_883 - 99_393,  # without the layers that the authors never call
    "mavd_xd": 1_355_444,
    "mgfn_ucf": 28_652_773,
    "macil_sd_light_xd": 347_009 - 99_584,  # what the authors create and never use
    "macil_sd_full_xd": 677_506 - 199_168,
    "msbt_xd": 15_702_978 - 8_192,  # without the LayerNorms that the authors never call
    "rtfm_ucf": 24_718_849,
    "rtfm_sht": 24_718_849,
    "sultani_ucf": 2_114_113,
    "umil_ucf": 2 * (512 * 512 + 512),  # the two heads; the backbone is not part of it
    "ur_dmu_xd": 6_492_929,
    "ur_dmu_ucf": 6_492_929,
    # With the frozen tower, and without two temperatures that the authors never use.
    "vadclip_ucf": 12_642_306 + 63_428_097 - 2,
    "vadclip_xd": 9_489_922 + 63_428_097 - 2,
}


@lru_cache
def plan(name, sets=()):
    plugins = load_plugins()
    return compile_plan(load_config(name, sets, plugins.config_folders), plugins)


def training_batch(model, bags=4, snippets=20):  # the fourth bag has one real snippet
    batch = {name: torch.rand(bags, snippets, size) for name, size in model.training_sizes.items()}
    mask = torch.arange(snippets) < torch.tensor([20, 13, 18, 1])[:, None]
    labels, classes = torch.tensor([0.0, 1.0, 1.0, 0.0]), torch.tensor([0, 2, 1, 0])
    batch |= {"mask": mask, "labels": labels, "classes": classes, "prompts": torch.randn(bags, 2, 512)}
    batch |= {"targets": torch.rand(bags, snippets), "target_weight": (torch.rand(bags, snippets) > 0.5).float()}
    batch["clicks"] = (torch.arange(snippets) == 3) * labels[:, None]
    names = model.spec["data"]["classes"]
    return batch if names is None else {**batch, "class_set": torch.eye(len(names))[classes]}


def narrow(path):
    """Return changes that make the patches of a graph narrow: LSTC's networks have 100 million weights."""
    inputs = plan(path.stem).inputs
    return [f"inputs.{n}=b t {p.tokens[2]} 64" for n, p in inputs.items() if len(p.tokens) == 4]


def test_all_are_found():
    ablations = [path for path in PAPERS if "ablations" in path.parts]
    assert len(ablations) == 20
    assert len(PAPERS) - len(ablations) == sum(GRAPHS.values())


def test_a_graph_is_in_the_folder_of_its_system():
    graphs = [path.relative_to(CONFIGS / "graphs") for path in PAPERS if "graphs" in path.parts]
    assert Counter(path.parts[0] for path in graphs) == GRAPHS
    assert [path for path in graphs if len(path.parts) != 2 or not path.stem.startswith(f"{path.parts[0]}_")] == []


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_builds_scores_and_trains(path):
    torch.manual_seed(0)
    model = vadkit.build(path, set=narrow(path))
    batch = training_batch(model)
    model.loss(batch)["total"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    with torch.no_grad():
        scores = model.eval()(**{name: batch[name] for name in model.input_sizes})
    assert scores.shape == (4, 20)
    assert ((scores > 0) & (scores < 1)).all() or model.output_range == "unbounded"
    assert path.read_text("ascii").startswith("#"), "a config begins with a comment that describes it"
    assert (path.stem in LIVE) == (not obstacles(model)), "name the graph in LIVE if it gives live scores"
    if path.stem in LIVE:
        streams = streams_of(model, 14, crops=2)
        assert_same(fed(vadkit.stream(model), streams, seed=0), whole_video(model, streams))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_sound(path):
    recipe = read_recipe(path, [], load_plugins())
    assert len(recipe.rounds) > 1 and recipe.about
    assert path.read_text("ascii").startswith("#"), "a recipe begins with a comment that describes it"


@pytest.mark.parametrize("name", PARAMETERS)
def test_has_as_many_parameters_as_the_original(name):
    assert parameters(without_weights(plan(name))) == PARAMETERS[name]


def test_row_1_with_its_second_nominator_has_the_size_in_the_authors_log():
    graph = parameters(without_weights(plan("table1_row1", ("nodes.gate.use=topk_nominator",))))
    assert f"{(graph + 1) / 1e6:.4f}" == "7.7702"  # and the temperature of the prompt loss


def test_the_series_ends_in_the_rgb_system():
    last, system = plan("series_8").spec, plan("seed_xd_rgb").spec
    assert {**last, "about": None} == {**system, "about": None}


@pytest.mark.parametrize(
    "first, then, added_nodes, added_losses",
    [
        ("series_1", "series_2", {"context"}, set()),
        ("series_2", "series_3", {"cnn", "stage1", "stage2_sum"}, set()),
        ("series_3", "series_4", {"nominator"}, set()),
        ("series_4", "series_5", {"embedding", "attention", "memory", "urdmu"}, {"memory"}),
        ("series_5", "series_6", set(), {"prompt"}),
        ("series_6", "series_7", set(), {"mc"}),
        ("series_7", "series_8", set(), set()),
        ("table1_row2", "table1_row3", set(), {"prompt"}),
        ("table1_row3", "table1_row4", set(), {"mc"}),
        ("table1_row4", "table1_row5", set(), set()),
        ("table1_row5", "table1_row6", {"flow_mlp", "flow_attention", "flow_fusion"}, set()),
    ],
)
def test_each_row_adds_one_thing(first, then, added_nodes, added_losses):
    before, after = plan(first).spec, plan(then).spec
    assert set(after["nodes"]) - set(before["nodes"]) == added_nodes
    assert set(after["losses"]) - set(before["losses"]) == added_losses
    assert set(before["nodes"]) <= set(after["nodes"])
    assert before != after


def test_a_loss_of_weight_zero_needs_nothing_from_the_batch():
    torch.manual_seed(0)
    model = vadkit.build("pel4vad_xd", set=["losses.prompt.weight=0"])
    batch = training_batch(model)
    del batch["prompts"]
    losses = model.loss(batch)
    assert "prompt" not in losses
    assert torch.equal(losses["total"], losses["mil"])


def test_a_loss_reports_what_the_batch_lacks():
    model = vadkit.build("pel4vad_xd")
    batch = training_batch(model)
    del batch["prompts"]
    with pytest.raises(vadkit.VadkitError, match=r"loss 'prompt' \(prompt_alignment\) needs prompts"):
        model.loss(batch)


def needs_snippets_alone(name):
    """Return whether a component takes the place of another: snippets that are no patches, and nothing else."""
    ports = parse_ports(load_plugins().components.find(name).inputs)
    others = [port for port in ports.values() if not (port.name == "x" or port.optional or port.name in BATCH_PORTS)]
    return not others and len(ports["x"].pattern.tokens) == 3


TEMPORAL = [name for name in load_plugins().components.names("temporal") if needs_snippets_alone(name)]


@pytest.mark.parametrize(
    "node, config",
    [
        ("context", "seed_xd_rgb"),
        ("flow_attention", "seed_xd_rgb_flow"),
        ("audio_attention", "seed_xd_three_stream"),
        ("embedding", "ur_dmu_xd"),
    ],
)
@pytest.mark.parametrize("component", TEMPORAL)
def test_any_temporal_module_takes_the_place_of_another(component, node, config):
    swapped = plan(config, (f"nodes.{node}.use={component}",))
    assert swapped.step(node).component.name == component


@pytest.mark.parametrize("component", load_plugins().components.names("fusion"))
def test_any_fusion_takes_the_place_of_the_gated_ones(component):
    sets = tuple(f"nodes.{node}.use={component}" for node in ("flow_fusion", "audio_fusion"))
    assert plan("seed_xd_three_stream", sets).step("audio_fusion").component.name == component


def overrides(path):
    """Return the overrides in a file's comments; those on one line belong together."""
    found = []
    for line in path.read_text("ascii").splitlines():
        comment = line.partition("#")[2]
        if "--set" in comment:
            words = shlex.split(comment[comment.index("--set") :].rstrip("\\ "))
            found.append(tuple(word for flag, word in zip(words, words[1:]) if flag == "--set"))
    return [sets for sets in found if sets != ("data.args.root=STORE",)]  # how to run it, not another reading of it


OVERRIDES = [(path.stem, sets) for path in PAPERS for sets in overrides(path)]


def test_the_other_interpretations_of_the_paper_are_found():
    assert len(OVERRIDES) >= 40


@pytest.mark.parametrize("config, sets", OVERRIDES, ids=[f"{name}: {' '.join(sets)}" for name, sets in OVERRIDES])
def test_an_override_in_a_comment_changes_the_graph(config, sets):
    assert sets
    assert plan(config, sets).spec != plan(config).spec


def test_a_data_set_without_sound_has_a_graph_without_the_audio_stream():
    assert set(plan("seed_ucf_rgb_flow").inputs) == {"rgb", "clip", "flow"}
