"""OpenCV that cannot be loaded, as in a slim container: what needs it says what to install, all else works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tiny_store import write_tiny_store

from vadkit.cli import main

# As the real one does: the first import says why, a second one says something else.
STAND_IN = """
import sys
if hasattr(sys, "OpenCV_LOADER"):
    print(sys.path)
    raise ImportError('ERROR: recursion is detected during loading of "cv2" binary extensions.')
sys.OpenCV_LOADER = True
sys.path.insert(1, "/from/the/loader")
raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
"""
GRAPH = """
about: {0} alone
inputs: {{{0}: {1}}}
nodes: {{score: {{use: mlp_head, in: {0}, args: {{hidden: []}}}}}}
losses: {{mil: {{use: topk_mil, in: score}}}}
output: score
data: {{args: {{root: {2}}}, batch: 2}}
train: {{steps: 2}}
"""
# The command lines; all are run in one process, which is quicker, in this order.
WORKS: dict[str, list[str]] = {
    "help": ["--help"],
    "list": ["list"],
    "info": ["info", "dis_flow"],
    "build": ["build", "seed_xd_three_stream"],
    "train": ["train", "rgb.yaml", "--out", "run"],
    "eval": ["eval", "--model", "run/model.safetensors"],
    "swap": ["bench", "swap", "--spec", "swap.yaml", "--out", "swap", "--bags=2", "--snippets=9", "--rounds=1"],
    "extract without it": ["extract", "videos", "--stream", "sound=logmel_stats", "--out", "sound"],
    "corrupt": ["corrupt", "videos", "--with", "blur:1", "--with", "noise:1", "--out", "worse"],
    "check": ["store", "check", "sound"],
    "generate": ["store", "generate", "xd_violence", "--out", "made", "--fraction", "0.001"],
}
NEEDS: dict[str, list[str]] = {
    "extract": ["extract", "videos", "--stream", "flow=dis_flow", "--out", "flow2", "--workers", "0"],
    "extract in workers": ["extract", "videos", "--stream", "flow=dis_flow", "--out", "flow3", "--workers", "1"],
    "predict": ["predict", "videos/a0.mkv", "--model", "flow/model.safetensors", "--out", "pages"],
    "demo": ["demo", "--quick", "--out", "demo"],
    "render": ["store", "generate", "rendered", "--out", "rendered"],
}
PROGRAM = """
import contextlib, io, json, sys, traceback
from vadkit.cli import main

def said(argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(argv)
        except BaseException:
            code = traceback.format_exc()
    return code, out.getvalue(), err.getvalue()

if __name__ == "__main__":
    path = list(sys.path)
    found = {name: said(argv) for name, argv in json.load(sys.stdin).items()}
    assert sys.path == path and "cv2" not in sys.modules
    json.dump(found, sys.stdout)
"""


def write_video(path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("ffv1", rate=8)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        sound = sink.add_stream("pcm_s16le", rate=8000, layout="mono")
        rng = np.random.default_rng(seed)
        for _ in range(16):
            picture = rng.integers(0, 255, (32, 48, 3), np.uint8)
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sink.mux(stream.encode(None))
        samples = av.AudioFrame.from_ndarray(rng.integers(-999, 999, (1, 16000), np.int16), format="s16", layout="mono")
        samples.sample_rate = 8000
        sink.mux(sound.encode(samples))
        sink.mux(sound.encode(None))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store of made-up rgb features, videos, and a model whose input is their flow."""
    folder = tmp_path_factory.mktemp("slim")
    (folder / "cv2").mkdir()
    (folder / "cv2" / "__init__.py").write_text(STAND_IN)
    (folder / "program.py").write_text(PROGRAM)
    (folder / "rgb.yaml").write_text(GRAPH.format("rgb", "b t 16", write_tiny_store(folder / "rgb")))
    (folder / "swap.yaml").write_text("config: rgb.yaml\nseeds: 1\nvariants: {plain: null}\n")
    names = [f"{kind}{number}" for kind in "an" for number in range(2)]
    for seed, name in enumerate(names):
        write_video(folder / "videos" / f"{name}.mkv", seed)
    (folder / "flow.yaml").write_text(GRAPH.format("flow", "{use: dis_flow}", folder / "store"))
    lines = ["video,label,split", *(f"{name},{int(name[0] == 'a')},train" for name in names)]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    given = ["--config", str(folder / "flow.yaml"), "--labels", str(folder / "labels.csv")]
    assert main(["extract", str(folder / "videos"), *given, "--out", str(folder / "store"), "--workers", "0"]) == 0
    assert main(["train", str(folder / "flow.yaml"), "--out", str(folder / "flow")]) == 0
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> Iterator[dict[str, Any]]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=environment,
        input=json.dumps({**WORKS, **NEEDS}),
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert run.returncode == 0, run.stderr
    yield json.loads(run.stdout)


@pytest.mark.parametrize("name", WORKS)
def test_it_works(outcomes: dict[str, Any], name: str) -> None:
    code, out, err = outcomes[name]
    assert code == 0, f"{code}\n{out}\n{err}"
    assert "OpenCV" not in err


@pytest.mark.parametrize("name", NEEDS)
def test_it_says_what_to_install(outcomes: dict[str, Any], name: str) -> None:
    code, out, err = outcomes[name]
    assert code == 2, f"{code}\n{out}\n{err}"
    message, hint = err.splitlines()[-2:]
    assert message == "OpenCV cannot be loaded: libGL.so.1: cannot open shared object file: No such file or directory"
    assert "apt-get install libgl1" in hint and "pip install opencv-python-headless" in hint
    assert "Traceback" not in out + err
