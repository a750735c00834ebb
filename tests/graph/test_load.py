"""Finding configs, extends, overrides, and where each value says it is written."""

import os

import pytest

from vadkit.graph.load import load_config
from vadkit.problems import Place, VadkitError

GRAPH = """\
about: one stream
inputs: {rgb: b t 8}
nodes:
  context: {use: tca, in: rgb, args: {hidden: 4, window: 3}, detach: true}
  score: {use: causal_conv, in: context}
losses:
  mil: {use: topk_mil, in: score}
output: score
train: {epochs: 5}
"""


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("base.yaml", GRAPH)


def write(name, text):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def problems(config, sets=(), folders=()):
    with pytest.raises(VadkitError) as caught:
        load_config(config, sets, folders)
    return [problem.message for problem in caught.value.problems]


def only(config, sets=(), folders=()):
    with pytest.raises(VadkitError) as caught:
        load_config(config, sets, folders)
    assert len(caught.value.problems) == 1, str(caught.value)
    return caught.value.problems[0]


# -- reading ---------------------------------------------------------------------------------------


def test_data_are_plain_and_places_separate():
    source = load_config("base.yaml")
    assert source.data["nodes"]["context"]["args"] == {"hidden": 4, "window": 3}
    assert type(source.data["nodes"]) is dict
    assert source.files == ["base.yaml"]
    place = source.place(("nodes", "context", "args", "hidden"))
    assert (place.file, place.line, place.column, place.width) == ("base.yaml", 4, 47, 1)
    assert place.source == GRAPH.splitlines()[3]
    key = source.place(("nodes", "context", "args", "hidden"), key=True)
    assert (key.column, key.width) == (39, 6)


def test_place_falls_back_to_what_is_above():
    source = load_config("base.yaml")
    missing = source.place(("nodes", "score", "args", "kernel"))
    assert (missing.line, missing.column, missing.width) == (5, 3, 5)
    assert source.place(("eval", "metric")) == source.place(())


def test_empty_sections_count_as_absent():
    write("a.yaml", "inputs: {rgb: b t 8}\nlosses:\ntrain: ~\n")
    assert load_config("a.yaml").data == {"inputs": {"rgb": "b t 8"}}


def test_the_place_of_a_value_in_a_dict_is_its_keys():
    source = load_config(
        {"inputs": {"rgb": "b t 8"}, "train": {"optimizer": {"lr": 1e-5, "args": {"betas": (0.9, 0.99)}}}}
    )
    assert source.data["train"]["optimizer"] == {"lr": 1e-5, "args": {"betas": [0.9, 0.99]}}
    place = source.place(("train", "optimizer", "lr"))
    assert str(place) == "config['train']['optimizer']['lr']"
    assert (
        str(source.place(("train", "optimizer", "args", "betas", 1)))
        == "config['train']['optimizer']['args']['betas'][1]"
    )


def test_text_of_a_dict_stays_text():
    data = {"about": "1e-4", "nodes": {"on": {"use": "null", "in": 'a: "b" #c'}}}
    assert load_config(data).data == data


@pytest.mark.parametrize(
    "data, message",
    [
        ({"train": {"seed": {1, 2}}}, "config['train']['seed']: a config holds plain data, not a value of type set"),
        ({"": 3}, "config: a key must not be empty"),
        ({"about": "a\x00"}, "config['about']: text must not contain the character U+0000"),
        ({"train": {"seed": 2**63}}, "config['train']['seed']: the number 9223372036854775808 does not fit 64 bits"),
        ({"train": {1: 2}}, "config['train']: a key must be text, not 1"),
        ({"train": {"lr": float("nan")}}, "config['train']['lr']: numbers must be finite, and nan is not"),
    ],
)
def test_bad_dicts(data, message):
    with pytest.raises(VadkitError) as caught:
        load_config(data)
    assert str(caught.value) == message


def test_dict_that_holds_itself():
    data = {}
    data["train"] = data
    assert "nested more than 50 deep" in problems(data)[0]


def test_paths_are_shown_from_the_current_folder(tmp_path):
    source = load_config(tmp_path / "base.yaml")
    assert source.files == ["base.yaml"]


# -- searching -------------------------------------------------------------------------------------


def test_a_name_is_found_in_sub_folders(tmp_path):
    write("configs/graphs/deep.yaml", GRAPH)
    folder = tmp_path / "configs"
    assert load_config("deep", folders=[folder]).files == ["configs/graphs/deep.yaml"]
    assert load_config("graphs/deep", folders=[folder]).files == ["configs/graphs/deep.yaml"]
    assert load_config("deep.yaml", folders=[folder]).files == ["configs/graphs/deep.yaml"]


def test_a_name_is_found_at_any_depth(tmp_path):
    write("configs/graphs/shin/deep.yaml", GRAPH)
    folder = tmp_path / "configs"
    assert load_config("deep", folders=[folder]).files == ["configs/graphs/shin/deep.yaml"]
    write("configs/graphs/lou/deep.yaml", GRAPH + "# another\n")
    problem = only("deep", folders=[folder])
    assert problem.message == "there are 2 configs 'deep'"
    assert [str(note) for note in problem.notes] == [
        "here: configs/graphs/lou/deep.yaml",
        "here: configs/graphs/shin/deep.yaml",
    ]


def test_unknown_name_is_reported_with_the_nearest(tmp_path):
    write("configs/graphs/shin_rgb.yaml", GRAPH)
    problem = only("shin_rbg", folders=[tmp_path / "configs"])
    assert problem.message == "no config 'shin_rbg'"
    assert problem.hint == "did you mean 'shin_rgb'?"
    assert [str(note) for note in problem.notes] == [
        "looked in the current folder",
        "looked in configs and its sub-folders",
    ]


def test_ambiguous_name_names_both(tmp_path):
    write("configs/graphs/base.yaml", GRAPH + "# changed\n")
    problem = only("base", folders=[tmp_path / "configs"])
    assert problem.message == "there are 2 configs 'base'"
    assert [str(note) for note in problem.notes] == ["here: configs/graphs/base.yaml", "here: base.yaml"]
    assert load_config("./base", folders=[tmp_path / "configs"]).files == ["base.yaml"]


def test_a_copy_is_not_ambiguous(tmp_path):
    write("configs/graphs/base.yaml", GRAPH)
    assert load_config("base", folders=[tmp_path / "configs"]).files == ["configs/graphs/base.yaml"]


def test_the_same_file_by_two_ways_is_not_ambiguous(tmp_path):
    assert load_config("base", folders=[tmp_path]).files == ["base.yaml"]


def test_extends_does_not_depend_on_the_current_folder(tmp_path):
    write("configs/graphs/base.yaml", GRAPH.replace("epochs: 5", "epochs: 7"))
    write("configs/ablations/row.yaml", "extends: base\n")
    source = load_config("row", folders=[tmp_path / "configs"])
    assert source.data["train"]["epochs"] == 7


@pytest.mark.parametrize("name", ["", ".", "a\0b", "x" * 5000, "[*]", "no/such/place", "../.."])
def test_strange_names(name):
    assert len(problems(name)) == 1


def test_model_file_is_not_a_config():
    problem = only("model.safetensors")
    assert problem.message == "'model.safetensors' is not a YAML file"
    assert "trained model" in problem.hint


# -- extends ---------------------------------------------------------------------------------------


def test_mappings_merge_lists_replace_null_deletes():
    write("base2.yaml", "data: {args: {root: a, keep: 1}}\ntrain: {log: [jsonl], seed: 3}\n")
    write("child.yaml", "extends: base2\ndata: {args: {root: b}}\ntrain: {log: [tensorboard], seed: null}\n")
    data = load_config("child").data
    assert data == {"data": {"args": {"root": "b", "keep": 1}}, "train": {"log": ["tensorboard"]}}


def test_several_bases_in_order():
    write("one.yaml", "about: one\ntrain: {seed: 1}\n")
    write("two.yaml", "about: two\n")
    write("child.yaml", "extends: [one, two.yaml]\n")
    source = load_config("child")
    assert source.data == {"about": "two", "train": {"seed": 1}}
    assert source.files == ["child.yaml", "one.yaml", "two.yaml"]


def test_another_use_drops_args_and_keeps_the_wiring():
    write("child.yaml", "extends: base\nnodes: {context: {use: gl_mhsa}}\n")
    assert load_config("child").data["nodes"]["context"] == {"use": "gl_mhsa", "in": "rgb", "detach": True}


def test_the_same_use_keeps_args():
    write("child.yaml", "extends: base\nnodes: {context: {use: tca, args: {window: 9}}}\n")
    assert load_config("child").data["nodes"]["context"]["args"] == {"hidden": 4, "window": 9}


def test_another_use_with_args_of_its_own():
    write("child.yaml", "extends: base\nnodes: {context: {use: gl_mhsa, args: {heads: 2}}}\n")
    assert load_config("child").data["nodes"]["context"]["args"] == {"heads": 2}


def test_null_in_args_is_a_value():
    write("child.yaml", "extends: base\nnodes: {context: {args: {hidden: null}}}\n")
    assert load_config("child").data["nodes"]["context"]["args"] == {"hidden": None, "window": 3}


def test_null_for_a_node_that_is_not_there():
    write("child.yaml", "extends: base\nnodes: {contxt: null, score: null}\n")
    problem = only("child")
    assert problem.message == "unknown node 'contxt' in the extended files"
    assert problem.hint == "did you mean 'context'?"
    assert problem.place.line == 2


def test_steps_over_inherited_epochs():
    write("child.yaml", "extends: base\ntrain: {steps: 30}\n")
    assert load_config("child").data["train"] == {"steps": 30}


def test_inherited_values_point_into_their_file():
    write("child.yaml", "extends: base\nnodes: {context: {args: {window: 9}}}\n")
    source = load_config("child")
    assert source.place(("nodes", "context", "args", "hidden")).file == "base.yaml"
    assert source.place(("nodes", "context", "args", "window")).file == "child.yaml"
    assert source.place(("nodes", "context"), key=True).file == "base.yaml"


def test_cycle_shows_the_chain():
    write("a.yaml", "extends: b\n")
    write("b.yaml", "extends: c\n")
    write("c.yaml", "extends: [b]\n")
    problem = only("a")
    assert problem.message == "extends cycle: b.yaml -> c.yaml -> b.yaml"
    assert str(problem.place) == "c.yaml:1:11"


def test_diamonds_are_read_once():
    for i in range(1, 40):
        write(f"c{i}.yaml", f"extends: [c{i - 1}, c{i - 1}]\n")
    write("c0.yaml", "about: the root\n")
    assert load_config("c39").data == {"about": "the root"}


def test_chains_have_an_end():
    for i in range(1, 200):
        write(f"c{i}.yaml", f"extends: c{i - 1}\n")
    write("c0.yaml", "about: the root\n")
    assert problems("c199") == ["more than 50 files extend one another"]


def test_problems_of_all_files_come_together():
    write("bad.yaml", "a: 1\na: 2\n")
    write("child.yaml", "extends: [bad, nowhere, 3]\nb: &x 1\n")
    assert problems("child") == [
        "a is written twice; first at line 1",
        "no config 'nowhere'",
        "extends must be the name of a config or a list of names, got 3",
        "anchors and aliases (&x) are not allowed",
    ]


# -- overrides -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, path, value",
    [
        ("train.optimizer.lr=1e-5", ("train", "optimizer", "lr"), 1e-5),
        ("nodes.context.args.dims=[1, 2]", ("nodes", "context", "args", "dims"), [1, 2]),
        ("nodes.context.args={window: 9}", ("nodes", "context", "args"), {"hidden": 4, "window": 9}),
        ("about='a=b'", ("about",), "a=b"),
        ("about=a=b", ("about",), "a=b"),
        ("train.deterministic=false", ("train", "deterministic"), False),
        ("train.steps=9", ("train",), {"steps": 9}),
        ("nodes.context.args.hidden=null", ("nodes", "context", "args", "hidden"), None),
    ],
)
def test_override(text, path, value):
    found = load_config("base", [text]).data
    for key in path:
        found = found[key]
    assert found == value and type(found) is type(value)


def test_override_deletes():
    assert "losses" not in load_config("base", ["losses=null"]).data
    assert "mil" not in load_config("base", ["losses.mil=null"]).data["losses"]


def test_override_of_use_drops_args_whatever_the_order():
    sets = ["nodes.context.args.heads=2", "nodes.context.use=gl_mhsa"]
    assert load_config("base", sets).data["nodes"]["context"]["args"] == {"heads": 2}


def test_later_override_wins():
    assert load_config("base", ["train.seed=1", "train.seed=2"]).data["train"]["seed"] == 2


def test_override_reaches_into_lists():
    write("child.yaml", "extends: base\neval: {post: [{use: smooth, args: {kappa: 1}}]}\n")
    post = load_config("child", ["eval.post.0.args.kappa=3"]).data["eval"]["post"]
    assert post == [{"use": "smooth", "args": {"kappa": 3}}]


def test_place_of_an_override():
    text = "nodes.context.args.dims=[1, 2]"
    source = load_config("base", ["train.seed=1", text])
    path = ("nodes", "context", "args", "dims")
    assert source.place(path) == Place("--set", 2, 25, text, 6)
    assert source.place((*path, 1)) == Place("--set", 2, 29, text, 1)
    assert source.place(path, key=True) == Place("--set", 2, 20, text, 4)


@pytest.mark.parametrize(
    "text, column, message, hint",
    [
        ("train.seed", 1, "there is no '='", "write KEY=VALUE, as in train.seed=3"),
        ("train..seed=1", 1, "the key has an empty part", None),
        ("train.seed=", 1, "the value is missing", "null deletes the key, '' is an empty text"),
        ("train.seed= # one", 1, "the value is missing", None),
        ("trian.seed=1", 1, "unknown key 'trian'", "did you mean 'train'?"),
        ("extends=base", 1, "extends names files and cannot be set", None),
        ("nodes.contxt.use=tca", 7, "unknown node 'contxt'", "did you mean 'context'?"),
        ("nodes.zzz={use: tca}", 7, "unknown node 'zzz'", "--set cannot create a node; extend the file instead"),
        ("losses.mill.weight=2", 8, "unknown loss 'mill'", "did you mean 'mil'?"),
        ("nodes.context.use.x=1", 19, "'nodes.context.use' is the text 'tca', so it has no 'x'", None),
        (
            "train.seed=[1",
            14,
            "this is not YAML: expected ',' or ']', but got '<stream end>'",
            "a comma or a closing bracket is missing before this",
        ),
        ("train.seed=*a", 12, "anchors and aliases (*a) are not allowed", "quote text that begins with it"),
    ],
)
def test_bad_overrides(text, column, message, hint):
    problem = only("base", [text])
    assert (problem.message, problem.hint) == (message, hint)
    assert (problem.place.file, problem.place.line, problem.place.column) == ("--set", 1, column)


@pytest.mark.parametrize("index", ["1", "-1", "x", "0000000001", "99999999999999999999"])
def test_bad_list_index(index):
    write("child.yaml", "extends: base\neval: {post: [{use: smooth}]}\n")
    said = f"'eval.post' is a list and has no entry '{index}'; it has 1 entry, counted from 0"
    assert problems("child", [f"eval.post.{index}.use=x"]) == [said]
    assert problems("child", [f"eval.post.{index}=x"]) == [said]


def test_all_bad_overrides_are_reported():
    assert len(problems("base", ["x", "nodes.a.b=1", "y=1"])) == 3


def test_two_files_that_extend_the_same_third_do_not_undo_each_other():
    write("small.yaml", "extends: base\nnodes: {context: {args: {hidden: 2}}}\n")
    write("wide.yaml", "extends: base\nnodes: {context: {args: {window: 9}}, score: {args: {kernel: 5}}}\n")
    write("both.yaml", "extends: [small, wide]\n")
    nodes = load_config("both").data["nodes"]
    assert nodes["context"]["args"] == {"hidden": 2, "window": 9}
    assert nodes["score"]["args"] == {"kernel": 5}


def test_two_files_may_delete_the_same_node():
    write("one.yaml", "extends: base\nlosses: {mil: null}\n")
    write("two.yaml", "extends: base\nlosses: {mil: null}\n")
    write("both.yaml", "extends: [one, two]\n")
    assert load_config("both").data.get("losses") == {}
