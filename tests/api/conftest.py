"""Small clips, a store of their features and a model trained on it; one thread."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from clips import alarm, make_clip
from red_alarm import GRAPH
from unpackaged import TINY_BACKBONES, unpackaged


@pytest.fixture(scope="module", autouse=True)
def tiny_backbones() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with unpackaged(TINY_BACKBONES):
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_backbones: None) -> SimpleNamespace:
    """Return clips, labels, a config, a store and a trained model, all by the functions under test."""
    import vadkit
    from vadkit.graph.yaml_reader import write_text

    root = tmp_path_factory.mktemp("made")
    lines = ["video,label,split,intervals"]
    for i in range(6):
        bad = i % 2
        make_clip(root / "clips" / f"clip{i}.mp4", colour=alarm(2, 4) if bad else alarm(9, 9), sound="silence")
        lines.append(f"clip{i},{'red' if bad else 'normal'},{'train' if i < 4 else 'test'},{'16-32' if bad else ''}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    (root / "graph.yaml").write_text(write_text(GRAPH))
    store = vadkit.extract(
        root / "clips", config=GRAPH, labels=root / "labels.csv", out=root / "store", snippet_frames=4
    )
    trained = vadkit.train(GRAPH, out=root / "run", set=f"data.args.root={root / 'store'}", device="cpu")
    return SimpleNamespace(root=root, store=store, trained=trained, model=trained.model_path)
