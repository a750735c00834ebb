"""Load XD-Violence for training and scoring: the usual way against vadkit, on published files and on a packed store.

    python benchmarks/loader.py --data DIR [--fraction 0.1] [--rounds 3] [--streams rgb flow audio]
    python benchmarks/loader.py --data DIR --whole

DIR holds a stand-in of the data set (generated if missing, see ``vadkit store generate``), an index and packs: 1.3 GB
for each hundredth. Every measurement runs in its own process, and all take turns. Before the first round, of one
epoch, the files are dropped from the page cache ("cold"); before the others, of three epochs, they are read
("warm"). Medians are written to benchmarks/results/loader-cpu-MONTH.json and .md. Before anything is timed,
the segment means of all ways are compared bit for bit. The last rows include a quarter of the videos: memory must
not grow with their number.

--whole loads the data set at its true size, 49 GB, from the disk and without packs: one epoch of each loader, and
one of ours over a quarter of the videos. It writes loader-whole-cpu-MONTH.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import usual_loader
from results import write
from vadkit_feature_store import FeatureStore
from vadkit_segment_mean import SegmentMean

from vadkit.cli import main as vadkit
from vadkit.data.batches import TrainBatches
from vadkit.data.whole_videos import iterate

BATCH = 64  # bags of each label, as UR-DMU
LOADERS = {
    "usual, in the main process": ("usual", "index", 0),
    "usual, 2 workers per loader": ("usual", "index", 2),
    "vadkit, files unchanged": ("vadkit", "index", 2),
    "vadkit, packed float32": ("vadkit", "packed", 2),
    "vadkit, packed float16": ("vadkit", "packed16", 2),
}
BASE = "usual, in the main process"


# -- in a separate process ---------------------------------------------------------------------------
def measure(
    way: str, store: str, workers: int, streams: list[str], what: str, files: list[str], is_cold: bool
) -> dict[str, Any]:
    """Return milliseconds and CPU milliseconds per batch (or video), and the peak memory in MiB.

    They are of three epochs, or of one if files come from the disk: there is no pause between epochs, in which a
    loader would prefetch.
    """
    torch.set_num_threads(1)
    dataset = FeatureStore(root=store, streams={name: name for name in streams})
    epochs = (train_epochs if what == "train" else test_passes)(way, dataset, workers, streams)
    (cold if is_cold else warm)(files)
    found = []
    for _ in range(1 if is_cold else 3):
        start, cpu = time.perf_counter(), cpu_seconds()
        count = next(epochs)
        found.append([1e3 * (time.perf_counter() - start) / count, 1e3 * (cpu_seconds() - cpu) / count])
    return {"epochs": found, **memory()}


def train_epochs(way: str, dataset: FeatureStore, workers: int, streams: list[str]) -> Iterator[int]:
    """Load an epoch at each step; yield its number of batches."""
    if way == "usual":
        normal, abnormal = (items(dataset, streams, "train", label) for label in (0, 1))
        loader = usual_loader.UsualLoader(normal, abnormal, BATCH, workers)
        while True:
            yield sum(1 for _ in loader.epoch())
    with TrainBatches(
        dataset, SegmentMean(length=usual_loader.SEGMENTS), streams, BATCH, 0, workers=workers
    ) as batches:
        for epoch in itertools.count():
            for step in range(len(batches)):
                batches.batch(epoch * len(batches) + step)
            yield len(batches)


def test_passes(way: str, dataset: FeatureStore, workers: int, streams: list[str]) -> Iterator[int]:
    """Load the test videos at each step; yield their number."""
    while True:
        if way == "usual":
            crops = dataset.shape(dataset.videos("test")[0], streams[0])[0]
            yield sum(1 for _ in usual_loader.test_pass(items(dataset, streams, "test"), crops, workers))
        else:
            yield sum(1 for _ in iterate(dataset, "test", streams))


def items(dataset: FeatureStore, streams: list[str], split: str, label: int | None = None) -> list[tuple[str, ...]]:
    """Return the files of each crop, as list files name them; a single crop is repeated for all."""
    found = []
    for video in dataset.videos(split):
        if label is None or video.label == label:
            paths = [list(map(str, dataset.stored.paths(video, stream))) for stream in streams]
            crops = max(map(len, paths))
            found += list(zip(*(each * (crops // len(each)) for each in paths)))
    return found


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its finished workers."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def memory() -> dict[str, float]:
    """Return the peak memory in MiB, and the current part outside mapped files. Linux only."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    # Not ru_maxrss, which includes the parent's.
    return {"peak": int(status["VmHWM"].split()[0]) / 1024, "private": int(status["RssAnon"].split()[0]) / 1024}


# -- in the main process -----------------------------------------------------------------------------------------
def prepare(data: Path, fraction: float, streams: list[str], packs: bool) -> dict[str, Path]:
    """Create what is missing: the stand-in, its index, packs, and the index of a quarter of the videos."""
    root, names = data / "xd_violence", ("index", "quarter", *(("packed", "packed16") if packs else ()))
    stores = {name: data / name for name in names}
    run("store", "generate", "xd_violence", "--out", root, "--fraction", fraction, "--streams", *streams)
    for store in stores.values():
        if not (store / "store.json").exists():
            run("store", "import", "xd_violence", "--root", root, "--out", store)
    if packs:
        run("store", "pack", stores["packed"])
        run("store", "pack", stores["packed16"], "--dtype", "float16")
    videos = json.loads((stores["index"] / "videos.json").read_text())
    (stores["quarter"] / "videos.json").write_text(json.dumps(videos[::4]))
    return stores


def run(*arguments: Any) -> None:
    if vadkit([str(argument) for argument in arguments]) != 0:
        raise SystemExit(1)


def compare(stores: dict[str, Path], streams: list[str]) -> int:
    """Return how many crops of a batch are bit-identical in all ways; stop if one is not."""
    index = FeatureStore(root=str(stores["index"]), streams={name: name for name in streams})
    for name in [name for name in ("index", "packed") if name in stores]:
        dataset = FeatureStore(root=str(stores[name]), streams={name: name for name in streams})
        with TrainBatches(dataset, SegmentMean(length=usual_loader.SEGMENTS), streams, BATCH, 0) as batches:
            batch, bags = batches.batch(0), batches.rows(0)
        for row, bag in enumerate(bags):
            for stream in streams:
                paths = index.stored.paths(bag.video, stream)
                wanted = usual_loader.segment_means(np.load(paths[bag.crops[0] % len(paths)]).astype(np.float32))
                if not np.array_equal(batch[stream][row].numpy(), wanted):
                    raise SystemExit(f"{name}: {stream} of {bag.video.name} differs")
    return len(bags)


def files_of(stores: dict[str, Path], store: str) -> list[str]:
    """Return the feature files that are read."""
    if store.startswith("packed"):
        return sorted(map(str, stores[store].glob("*.npy")))
    return sorted(map(str, (stores["index"].parent / "xd_violence").glob("*-features/*/*.npy")))


def warm(files: list[str]) -> None:
    for path in files:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


def cold(files: list[str]) -> None:
    os.sync()
    for path in files:
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def child(*job: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--job"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rows(stores: dict[str, Path], streams: list[str], what: str, rounds: int) -> list[dict[str, Any]]:
    """Return a row per loader, measured in turns."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LOADERS}
    for number in range(rounds + 1):
        for name, (way, store, workers) in LOADERS.items():
            files = files_of(stores, store)
            found[name].append(child(way, str(stores[store]), workers, streams, what, files, number == 0))
            print(f"{what} {'+'.join(streams)}, round {number}: {name}", found[name][-1], file=sys.stderr)
    base, table = figures(found[BASE]), []
    for name in LOADERS:
        own = figures(found[name])
        table.append(
            {
                "loader": name,
                "of": f"{'+'.join(streams)}, a {'batch' if what == 'train' else 'test video'}",
                "warm, ms": round(own["warm"], 1),
                "faster": f"{base['warm'] / own['warm']:.1f} x",
                "CPU, ms": round(own["cpu"], 1),
                "less CPU": f"{base['cpu'] / own['cpu']:.1f} x",
                "first epoch, ms": round(own["first"], 1),
                "faster at first": f"{base['first'] / own['first']:.1f} x",
                "cold, ms": round(own["cold"], 1),
                "faster cold": f"{base['cold'] / own['cold']:.1f} x",
                "peak memory, MiB": round(max(result["peak"] for result in found[name])),
            }
        )
    return table


def figures(results: list[dict[str, Any]]) -> dict[str, float]:
    """Return medians: of a warm epoch in time and CPU, of the first one warm, and of the first one cold."""
    later = [epoch for result in results[1:] for epoch in result["epochs"][1:]]
    return {
        "warm": statistics.median(epoch[0] for epoch in later),
        "cpu": statistics.median(epoch[1] for epoch in later),
        "first": statistics.median(result["epochs"][0][0] for result in results[1:]),
        "cold": results[0]["epochs"][0][0],
    }


def whole_rows(stores: dict[str, Path], streams: list[str]) -> list[dict[str, Any]]:
    """Return a row per loader of unchanged files, read from the disk, and one of a quarter of the videos."""
    table, files = [], files_of(stores, "index")
    ways = {name: way for name, way in LOADERS.items() if way[1] == "index"}
    ways["vadkit, files unchanged, a quarter of the videos"] = ("vadkit", "quarter", 2)
    for what in ("train", "test"):
        base = None
        for name, (way, store, workers) in ways.items():
            result = child(way, str(stores[store]), workers, streams, what, files, True)
            print(f"{what}: {name}", result, file=sys.stderr)
            time_taken, cpu = result["epochs"][0]
            base = base or (time_taken, cpu)
            table.append(
                {
                    "loader": name,
                    "of": f"{'+'.join(streams)}, a {'batch' if what == 'train' else 'test video'}",
                    "cold, ms": round(time_taken, 1),
                    "faster": f"{base[0] / time_taken:.1f} x",
                    "CPU, ms": round(cpu, 1),
                    "less CPU": f"{base[1] / cpu:.1f} x",
                    "peak memory, MiB": round(result["peak"]),
                    "private, MiB": round(result["private"]),
                }
            )
    return table


def memory_rows(stores: dict[str, Path], streams: list[str]) -> list[dict[str, Any]]:
    """Return the peak memory of training epochs of all videos and of a quarter."""
    found = []
    for store, name in (("index", "files unchanged"), ("quarter", "files unchanged"), ("packed", "packed float32")):
        videos = sum(video["split"] == "train" for video in json.loads((stores[store] / "videos.json").read_text()))
        result = child("vadkit", str(stores[store]), 2, streams, "train", [], False)
        found.append(
            {
                "loader": f"vadkit, {name}, {videos} training videos",
                "of": f"{'+'.join(streams)}, 3 epochs",
                "peak memory, MiB": round(result["peak"]),
                "private, MiB": round(result["private"]),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("loader-data"))
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", nargs="+", default=["rgb", "flow", "audio"])
    parser.add_argument("--whole", action="store_true", help="the data set at its true size, from the disk")
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        print(json.dumps(measure(*json.load(sys.stdin))))
        return
    fraction = 1 if args.whole else args.fraction
    stores = prepare(args.data, fraction, args.streams, packs=not args.whole)
    same = compare(stores, args.streams)
    files, mark = files_of(stores, "index"), json.loads((args.data / "xd_violence" / "stand-in.json").read_text())
    conditions = {
        "data": f"a stand-in of {fraction:g} of XD-Violence, {mark['videos']['train']} + {mark['videos']['test']} "
        f"videos with real names and lengths and made-up numbers, {sum(map(os.path.getsize, files)) / 1e9:.1f} GB in "
        f"{len(files)} files",
        "batch": f"{BATCH} + {BATCH} crops, {usual_loader.SEGMENTS} segment means",
        "bit-identical": f"{same} crops of each way in {len(args.streams)} streams",
        "faster": f"than '{BASE}'",
    }
    if args.whole:
        conditions |= {"cold": "one epoch, after the files were dropped from the page cache, which cannot hold them"}
        write(
            "loader-whole", "Loading XD-Violence at its true size", whole_rows(stores, args.streams), conditions, "cpu"
        )
        return
    conditions |= {
        "rounds": args.rounds,
        "warm": "second and third epoch; in the first one vadkit checks every file for NaN",
    }
    table = rows(stores, args.streams[:1], "train", args.rounds)
    for what in ("train", "test"):
        table += rows(stores, args.streams, what, args.rounds)
    table += memory_rows(stores, args.streams)
    write("loader", "Loading XD-Violence", table, conditions, "cpu")


if __name__ == "__main__":
    main()
