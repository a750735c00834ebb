"""Train the paper's RGB system on XD-Violence, end to end: the usual way in plain torch against vadkit.

    python benchmarks/full_training.py [--data DIR] [--fraction 0.1] [--steps 2] [--threads 2]

The usual way reads a .npy file for every crop, trains the plain restatement (restatements/vadkit_plain_seed.py), and
scores the test set crop by crop with scores repeated to frames. vadkit runs ``vadkit train`` on the index of the same
files. Both take the same steps of 32 + 32 bags, with the same threads in one process each, one after the other.

The authors score all 800 test videos after every 10th step. With a fraction f of the videos, an evaluation of 800 f
videos follows every 10 f steps, so that steps and scored videos are in the same proportion: with the default,
80 videos after every step. Videos are chosen evenly, with their real lengths; the numbers in the files are made up.
DIR takes 31 GB x f. Two steps take about 8 minutes on 2 quiet cores, nearly all of it the usual way; the result goes
to benchmarks/results/full_training-cpu-MONTH.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import write
from torch import Tensor
from torch.utils.data import DataLoader
from usual_loader import TestItems, TrainItems

from vadkit.cli import main as vadkit
from vadkit.components import build_component
from vadkit.data.prompts import Prompts
from vadkit.plugin_manager import load_plugins
from vadkit.video import Video

GRAPH, STREAMS, BATCH, LENGTH = "seed_xd_rgb", ["rgb", "clip"], 32, 200
TEST_VIDEOS, EVALUATE_EVERY, BY_CROP = 800, 10, 800  # from so many snippets on, the authors score crop by crop
FRAMES = 16
ROOT = Path(__file__).parents[1]
PROMPTS = ROOT / "registry_configs" / "data" / "pel4vad" / "xd_violence.npy"
PHASES = {"loading": "load a batch", "step": "train step", "evaluation": "score the test videos"}


class Clock:
    """Adds up the seconds of each phase."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)

    def timed(self, phase: str, work: Callable[..., Any], *args: Any) -> Any:
        """Return what the work returns."""
        start = time.perf_counter()
        try:
            return work(*args)
        finally:
            self.seconds[phase] += time.perf_counter() - start


# -- the usual way ---------------------------------------------------------------------------------------------------
class Items(TrainItems):
    """One crop of one video: longer ones by even rows, shorter ones filled with zeros."""

    def __init__(self, videos: list[Video], paths: list[tuple[str, ...]], prompts: Prompts) -> None:
        super().__init__(paths, 0.0)
        self.videos, self.prompts = videos, prompts

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        arrays = [np.array(np.load(path), dtype=np.float32) for path in self.items[index]]
        video = self.videos[index]
        number = self.prompts.classes.index(video.classes[0]) if video.label else 0
        return (*map(brought, arrays), float(video.label or 0), number, self.prompts.of(video))


def brought(x: np.ndarray) -> np.ndarray:
    """Return (LENGTH, c)."""
    if len(x) > LENGTH:
        return x[np.linspace(0, len(x) - 1, LENGTH, dtype=np.uint16)]
    return np.pad(x, ((0, LENGTH - len(x)), (0, 0)))


def crops_of(dataset: Any, video: Video) -> list[tuple[str, ...]]:
    """Return the files of each crop; a stream of one crop is repeated, as in the authors' lists."""
    paths = [list(map(str, dataset.stored.paths(video, stream))) for stream in STREAMS]
    crops = max(map(len, paths))
    return list(zip(*(each * (crops // len(each)) for each in paths)))


def loader(dataset: Any, label: int, prompts: Prompts) -> DataLoader[Any]:
    rows = [(v, paths) for v in dataset.videos("train") if v.label == label for paths in crops_of(dataset, v)]
    items = Items([video for video, _ in rows], [paths for _, paths in rows], prompts)
    return DataLoader(items, batch_size=BATCH, shuffle=True, drop_last=True)


def batches(dataset: Any, prompts: Prompts) -> Iterator[dict[str, Tensor]]:
    """Yield batches, normal bags first, cut to the longest and with ramps in the padding."""
    normal, abnormal = (loader(dataset, label, prompts) for label in (0, 1))
    while True:
        for pair in zip(normal, abnormal):
            rgb, clip, labels, classes, vectors = (torch.cat(both) for both in zip(*pair))
            seq_len = (rgb.abs().amax(2) > 0).sum(1)
            longest = int(seq_len.max())
            rgb, clip = (ramps(x[:, :longest], seq_len) for x in (rgb, clip))
            mask = torch.arange(longest) < seq_len[:, None]
            batch = {"rgb": rgb, "clip": clip, "mask": mask, "labels": labels.float()}
            yield {**batch, "classes": classes, "prompts": vectors}


def ramps(x: Tensor, seq_len: Tensor) -> Tensor:
    """Fill the padding of each bag, one after the other, from its second-last to its last row."""
    for i, n in enumerate(seq_len.tolist()):
        if n < x.shape[1]:
            share = (torch.arange(1, x.shape[1] - n + 1) / (x.shape[1] - n + 1))[:, None]
            x[i, n:] = share * x[i, n - 1] + (1 - share) * x[i, n - 2]
    return x


def usual(store: str, steps: int, every: int) -> dict[str, Any]:
    """Train and evaluate in plain torch; return seconds by phase, and the frames that were evaluated."""
    sys.path.insert(0, str(Path(__file__).parent / "restatements"))
    from vadkit_plain_seed import PlainSeed

    clock, dataset = Clock(), open_store(store)
    test = dataset.videos("test")
    truth = np.concatenate([truth_of(dataset, video) for video in test])
    torch.manual_seed(2)
    model = PlainSeed(**PlainSeed.graphs[GRAPH])
    update = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=0.005)
    rows, best = batches(dataset, Prompts(PROMPTS, dataset.classes)), 0.0
    start = time.perf_counter()
    for step in range(1, steps + 1):
        batch = clock.timed("loading", next, rows)
        clock.timed("step", train_step, model, update, batch)
        if step % every == 0:
            found = clock.timed("evaluation", average_precision, model, dataset, test, truth)
            if found >= best:
                best = found
                torch.save(model.state_dict(), Path(store).parent / "usual-best.pkl")
        print(f"usual way: step {step} of {steps}", file=sys.stderr)
    return {**clock.seconds, "total": time.perf_counter() - start, "frames": len(truth), "positive": int(truth.sum())}


def train_step(model: Any, update: torch.optim.Optimizer, batch: dict[str, Tensor]) -> float:
    model.train()
    loss = model.loss(batch)
    update.zero_grad()
    loss.backward()
    update.step()
    return loss.item()


def average_precision(model: Any, dataset: Any, test: list[Video], truth: np.ndarray) -> float:
    """Score each video, repeat scores to frames, and return the area under precision and recall."""
    model.eval()
    rows = [paths for video in test for paths in crops_of(dataset, video)]
    crops, found = len(rows) // len(test), torch.zeros(0)
    with torch.no_grad():
        for rgb, clip in DataLoader(TestItems(rows), batch_size=crops, shuffle=False):
            together = 1 if rgb.shape[1] > BY_CROP else crops
            pairs = zip(rgb.split(together), clip.split(together))
            scores = torch.cat([model(rgb=r, clip=c) for r, c in pairs])
            found = torch.cat([found, scores.mean(0)])
    return area(np.repeat(np.array(found.tolist()), FRAMES), truth)


def area(frames: np.ndarray, truth: np.ndarray) -> float:
    """Return the area under precision and recall of the scores of all frames, by the trapezoid, as in the field."""
    order = np.argsort(-frames, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(frames[order])), len(order) - 1)  # of equal scores
    precision, recall = hits[last] / (last + 1), hits[last] / max(hits[-1], 1)
    return float(np.trapezoid(np.append(1.0, precision), np.append(0.0, recall)))


def truth_of(dataset: Any, video: Video) -> np.ndarray:
    """Return a truth of every frame that a snippet covers."""
    truth = np.zeros(dataset.shape(video, STREAMS[0])[1] * FRAMES, np.int8)
    for first, end in video.spans:
        truth[first:end] = 1
    return truth


# -- vadkit ----------------------------------------------------------------------------------------------------------
def ours(store: str, steps: int, every: int) -> dict[str, Any]:
    """Run ``vadkit train``; return seconds by phase."""
    from vadkit.engine.loop import EvaluateLoop, TrainLoop

    clock, counted = Clock(), {}
    run_iter, run = TrainLoop.run_iter, EvaluateLoop.run

    def step(self: TrainLoop) -> None:
        counted.setdefault("start", time.perf_counter())
        before = self.waited
        clock.timed("step", run_iter, self)
        clock.seconds["loading"] += self.waited - before
        clock.seconds["step"] -= self.waited - before
        counted["end"] = time.perf_counter()

    def evaluate(self: EvaluateLoop) -> None:
        clock.timed("evaluation", run, self)
        counted["end"] = time.perf_counter()

    TrainLoop.run_iter, EvaluateLoop.run = step, evaluate
    sets = [f"data.args.root={store}", "train.epochs=null", f"train.steps={steps}", "train.select=test_best"]
    sets += [f"train.evaluate_every={every}"]
    out = Path(store).parent / "vadkit-run"
    arguments = ["train", GRAPH, "--out", str(out), "--overwrite", "--device", "cpu"]
    if vadkit([*arguments, *(word for change in sets for word in ("--set", change))]) != 0:
        raise SystemExit(1)
    figures = json.loads((out / "result.json").read_text())["figures"]
    return {**clock.seconds, "total": counted["end"] - counted["start"], "ap": figures["ap"]}


# -- both ------------------------------------------------------------------------------------------------------------
def open_store(store: str) -> Any:
    plugins = load_plugins()
    return build_component(plugins.components.find("feature_store"), {"root": store}, "data")


def prepare(data: Path, fraction: float) -> Path:
    """Create what is missing of the stand-in and its index; return the index."""
    root, store = data / "xd_violence", data / "index"
    run("store", "generate", "xd_violence", "--out", root, "--fraction", fraction, "--streams", *STREAMS)
    if not (store / "store.json").exists():
        run("store", "import", "xd_violence", "--root", root, "--out", store)
    return store


def run(*arguments: Any) -> None:
    if vadkit([str(argument) for argument in arguments]) != 0:
        raise SystemExit(1)


def child(threads: int, *job: Any) -> dict[str, Any]:
    """Run one way in a process of its own, after its files were read once."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--job"]
    done = subprocess.run(command, input=json.dumps(job), stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.returncode)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def warm(store: Path) -> None:
    for path in sorted((store.parent / "xd_violence").rglob("*.npy")):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


def table(usual_way: dict[str, Any], vadkit_way: dict[str, Any], steps: int, evaluations: int) -> list[dict[str, Any]]:
    """Return a row per phase and one of all together."""
    rows = []
    for phase, name in (*PHASES.items(), ("total", "all together")):
        count = {"evaluation": evaluations, "total": 1}.get(phase, steps)
        rows.append(
            {
                "phase": name,
                "times": count,
                "usual way, s": round(usual_way[phase] / count, 3),
                "vadkit, s": round(vadkit_way[phase] / count, 3),
                "share of the usual way": f"{usual_way[phase] / usual_way['total']:.0%}",
                "faster": f"{usual_way[phase] / vadkit_way[phase]:.1f} x",
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="where the stand-in is kept (default: a temporary folder)")
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        way, *rest = json.load(sys.stdin)
        print(json.dumps({"usual": usual, "vadkit": ours}[way](*rest)))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(args, args.data or Path(folder))


def measure(args: argparse.Namespace, data: Path) -> None:
    every = max(1, round(EVALUATE_EVERY * args.fraction))
    if args.steps < every:
        raise SystemExit(
            f"with --fraction {args.fraction:g} an evaluation follows every {every} steps: --steps {every}"
        )
    store = prepare(data, args.fraction)
    dataset = open_store(str(store))
    lengths = [dataset.shape(video, STREAMS[0])[1] for video in dataset.videos("test")]
    scored = EVALUATE_EVERY * len(lengths) / every
    found = {}
    for way in ("usual", "vadkit"):
        warm(store)
        print(f"{way}: {args.steps} steps", file=sys.stderr)
        found[way] = child(args.threads, way, str(store), args.steps, every)
        print(way, found[way], file=sys.stderr)
    conditions = {
        "graph": GRAPH,
        "batch": f"{BATCH} + {BATCH} crops of at most {LENGTH} snippets, fp32",
        "data": f"a stand-in of {args.fraction:g} of XD-Violence with real lengths and made-up numbers, in memory",
        "test videos": f"{len(lengths)} of {sum(lengths) / len(lengths):.0f} snippets on average, at most "
        f"{max(lengths)}, five crops each (all 800: 182 on average)",
        "evaluation": f"after every {every} steps, {scored:.0f} videos for 10 steps (the authors: {TEST_VIDEOS})",
        "steps": args.steps,
        "threads of each way": args.threads,
        "all together": "from the first step to the end of the last evaluation",
    }
    torch.set_num_threads(args.threads)  # as the result file will say
    rows = table(found["usual"], found["vadkit"], args.steps, args.steps // every)
    write("full_training", "A training run of the paper's RGB system, end to end", rows, conditions, "cpu")


if __name__ == "__main__":
    main()
