"""The promises of components that work on numpy arrays: sampler, postprocess, labeller, backbone.

Legend: ``t`` snippets of one video, ``s`` snippets of a call, ``f`` frames.
"""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal, get_args

import numpy as np
import torch

from vadkit.testing.report import Broken, NotRun
from vadkit.testing.subject import Subject

DIMS = {"rgb": 6, "audio": 4}


def _streams(t: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(t)
    return {name: generator.normal(size=(t, dim)).astype(np.float32) for name, dim in DIMS.items()}


def brings_to_one_length(subject: Subject) -> None:
    """it brings videos of any length to its training length, and returns the number of real snippets"""
    sampler = subject.build()
    if not isinstance(getattr(sampler, "length", None), int):
        raise Broken("it has no whole number 'length', the training length")
    for t in (1, 9, sampler.length, 3 * sampler.length + 1):
        given = _streams(t)
        kept = {name: x.copy() for name, x in given.items()}
        taken, real = sampler.sample(given, np.random.default_rng(0))
        _check_sample(taken, real, sampler.length, t)
        if any(not np.array_equal(given[name], kept[name]) for name in kept):
            raise Broken("it modifies the features it was given")


def _check_sample(taken: dict[str, np.ndarray], real: int, length: int, t: int) -> None:
    if sorted(taken) != sorted(DIMS):
        raise Broken(f"given the streams {', '.join(DIMS)}, it returned {', '.join(taken)}")
    for name, x in taken.items():
        if x.shape != (length, DIMS[name]) or x.dtype != np.float32:
            raise Broken(f"{name} of {t} snippets is {x.dtype} {x.shape}, not float32 {(length, DIMS[name])}")
        if not np.isfinite(x).all():
            raise Broken(f"{name} of {t} snippets is not finite")
    if not isinstance(real, int | np.integer) or not 1 <= real <= length:
        raise Broken(f"it counts {real!r} real snippets among {length}, of a video with {t}")


def draws_from_its_generator(subject: Subject) -> None:
    """the same random generator gives the same snippets; with draws = False any generator does"""
    sampler = subject.build()
    for t in (9, 3 * sampler.length):
        first, second, other = (sampler.sample(_streams(t), np.random.default_rng(seed)) for seed in (3, 3, 4))
        if not _same_sample(first, second):
            raise Broken("it uses a source of randomness other than the given generator")
        if not sampler.draws and not _same_sample(first, other):
            raise Broken("it declares 'draws = False', but another generator gives other snippets")


def _same_sample(one: tuple[dict[str, np.ndarray], int], other: tuple[dict[str, np.ndarray], int]) -> bool:
    return one[1] == other[1] and all(np.array_equal(one[0][name], other[0][name]) for name in DIMS)


def samples_in_place(subject: Subject) -> None:
    """sample_into writes what sample returns, all of it"""
    sampler = subject.build()
    for t in (1, 9, 3 * sampler.length + 1):
        wanted, real = sampler.sample(_streams(t), np.random.default_rng(3))
        out = {name: np.full_like(x, np.nan) for name, x in wanted.items()}
        counted = sampler.sample_into(_streams(t), np.random.default_rng(3), out)
        if counted != real or any(not np.array_equal(out[name], wanted[name]) for name in wanted):
            raise Broken(f"of a video with {t} snippets, sample_into does not write what sample returns")


def finishes_a_batch(subject: Subject) -> None:
    """finish keeps the streams of a batch together: the same rows, the same length, the real snippets inside"""
    sampler = subject.build()
    lengths = torch.tensor([1, sampler.length, min(9, sampler.length)])
    streams = {name: torch.randn(3, sampler.length, dim) for name, dim in DIMS.items()}
    finished, real = sampler.finish(streams, lengths)
    times = {name: tuple(x.shape) for name, x in finished.items()}
    t = next(iter(finished.values())).shape[1]
    if times != {name: (3, t, dim) for name, dim in DIMS.items()}:
        raise Broken(f"from three rows of {sampler.length} it returned {times}")
    if real.shape != (3,) or bool((real > t).any()) or bool((real < 1).any()):
        raise Broken(f"it counts {real.tolist()} real snippets in rows of {t}")


def cuts_and_spreads(subject: Subject) -> None:
    """for scoring, it cuts a video into pieces, padding last, and spreads their scores over all snippets"""
    sampler = subject.build()
    for t in (1, 2, 9, sampler.length, 3 * sampler.length + 1):
        given = _streams(t)
        kept = {name: x.copy() for name, x in given.items()}
        pieces = sampler.cut(given)
        if any(not np.array_equal(given[name], kept[name]) for name in kept):
            raise Broken("cut modifies the features it was given")
        if not pieces:
            raise Broken(f"a video of {t} snippets is cut into no piece at all")
        for piece, real in pieces:
            _check_piece(piece, real, t)
        _check_cut_again(sampler, pieces, t)
        _check_spread(sampler, [real for _, real in pieces], t)


def _check_piece(piece: dict[str, np.ndarray], real: int, t: int) -> None:
    length = len(next(iter(piece.values()))) if piece else 0
    shapes = {name: (length, dim) for name, dim in DIMS.items()}
    if {name: x.shape for name, x in piece.items()} != shapes or any(x.dtype != np.float32 for x in piece.values()):
        given = ", ".join(f"{name} {x.dtype} {x.shape}" for name, x in piece.items()) or "nothing"
        raise Broken(f"a piece of a video of {t} snippets is {given}, not float32 of one length for each stream")
    if not all(np.isfinite(x).all() for x in piece.values()):
        raise Broken(f"a piece of a video of {t} snippets is not finite")
    if not isinstance(real, int | np.integer) or not 1 <= real <= length:
        raise Broken(f"it counts {real!r} real snippets in a piece of {length}")


def _check_cut_again(sampler: Any, pieces: list[tuple[dict[str, np.ndarray], int]], t: int) -> None:
    """Crops of one video are scored together, so their pieces must be alike."""
    other = sampler.cut({name: x + 1 for name, x in _streams(t).items()})
    if [(len(p["rgb"]), real) for p, real in other] != [(len(p["rgb"]), real) for p, real in pieces]:
        raise Broken("the lengths of the pieces depend on the features, not only on the number of snippets")


def _check_spread(sampler: Any, counts: list[int], t: int) -> None:
    generator = np.random.default_rng(t)
    scores = [generator.random(real) for real in counts]
    kept = [x.copy() for x in scores]
    spread = np.asarray(sampler.spread(scores, t))
    if spread.shape != (t,):
        raise Broken(f"the scores of {t} snippets are spread to an array of shape {spread.shape}")
    low, high = min(x.min() for x in scores), max(x.max() for x in scores)
    if not np.isfinite(spread).all() or spread.min() < low - 1e-6 or spread.max() > high + 1e-6:
        raise Broken(
            "of the spread scores some are not finite, or not between the lowest and the highest of the pieces"
        )
    if any(not np.array_equal(a, b) for a, b in zip(scores, kept)):
        raise Broken("spread modifies the scores it was given")


def keeps_the_length(subject: Subject) -> None:
    """it keeps the number of scores, for t of 1, 2, 9, 32, finite and between the smallest and the largest"""
    change = subject.build()
    for t in (1, 2, 9, 32):
        scores = np.random.default_rng(t).random(t)
        kept = scores.copy()
        changed = np.asarray(change(scores))
        if changed.shape != (t,):
            raise Broken(f"{t} scores became an array of shape {changed.shape}")
        if not np.isfinite(changed).all() or changed.min() < -1e-6 or changed.max() > scores.max() + 1e-6:
            raise Broken(f"of {t} scores some are not finite, below 0 or above the largest that went in")
        if not np.array_equal(scores, kept):
            raise Broken("it modifies the scores it was given")


def gives_targets(subject: Subject) -> None:
    """it gives every video float32 (t, 2), a target from 0 to 1 and a weight of 0 or more, the same each time"""
    for passes in (1, 4):
        for kinds in ((0, 1), (1,), (0,)):
            scores, labels, earlier = _scored_videos(passes, kinds)
            for before in ({}, earlier):
                given, kept = ({name: x.copy() for name, x in each.items()} for each in (scores, before))
                targets = subject.build().label(given, labels, before)
                _check_targets(targets, scores)
                if not (_equal(given, scores) and _equal(before, kept)):
                    raise Broken("it modifies the scores or the earlier targets that it was given")
                again = subject.build().label(given, labels, before)
                if not _equal(targets, again):
                    raise Broken("a second call with the same scores gives other targets")


def _equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def _scored_videos(
    passes: int, kinds: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], dict[str, int], dict[str, np.ndarray]]:
    """Return scores, labels and earlier targets of videos of 1, 2, 9 and 32 snippets, one of them all alike."""
    generator = np.random.default_rng(passes)
    scores = {f"video{t}": generator.random((passes, t)).astype(np.float32) for t in (1, 2, 9, 32)}
    scores["alike"] = np.full((passes, 5), 0.5, np.float32)
    labels = {name: kinds[i % len(kinds)] for i, name in enumerate(scores)}
    earlier = {name: generator.random((x.shape[1], 2)).astype(np.float32) for name, x in scores.items()}
    return scores, labels, earlier


def _check_targets(targets: dict[str, np.ndarray], scores: dict[str, np.ndarray]) -> None:
    if sorted(targets) != sorted(scores):
        raise Broken(f"of the videos {', '.join(scores)} it labels {', '.join(targets) or 'none'}")
    for name, x in targets.items():
        wanted = (scores[name].shape[1], 2)
        if not isinstance(x, np.ndarray) or x.shape != wanted or x.dtype != np.float32:
            found = f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
            raise Broken(f"the targets of a video of {wanted[0]} snippets are {found}, not float32 {wanted}")
        if not np.isfinite(x).all() or x.min() < 0 or x[:, 0].max() > 1:
            raise Broken(f"of {wanted[0]} snippets some target is not from 0 to 1, or some weight below 0")


def says_what_it_is_fed(subject: Subject) -> None:
    """it declares its modality and its width"""
    modality = getattr(subject.cls, "modality", None)
    if modality not in get_args(Literal["rgb", "flow", "audio"]):
        raise Broken(f"modality is {modality!r}, not rgb, flow or audio")
    dim = getattr(subject.cls, "dim", None)
    if not isinstance(dim, int) or dim < 1:
        raise Broken(f"dim is {dim!r}, not a whole number above 0")


def _available(subject: Subject) -> Any:
    """Build a backbone, or report that its weights or packages are missing."""
    try:
        return subject.build()
    except (OSError, ImportError) as error:
        raise NotRun(f"it cannot be built here: {error}") from error


def writes_a_recipe(subject: Subject) -> None:
    """its recipe is plain data that survives JSON, and the same each time"""
    backbone = _available(subject)
    try:
        recipe = json.loads(json.dumps(backbone.recipe()))
    except TypeError as error:
        raise Broken(f"recipe() holds a value that JSON cannot store: {error}") from None
    if recipe != backbone.recipe() or not recipe:
        raise Broken("recipe() is empty, or changes when it is written and read again")
    if subject.cls.modality == "audio" and "sample_rate" not in recipe:
        raise Broken("the recipe of an audio backbone lacks 'sample_rate'")


def extracts(subject: Subject) -> None:
    """extract gives float32 (s, dim), or (s, num_crops, dim), finite, and each snippet its own features"""
    backbone = _available(subject)
    snippets = _snippets(backbone)
    together, crops = backbone.extract(snippets), getattr(backbone, "num_crops", 1)
    wanted = (len(snippets), *([crops] if crops > 1 else []), backbone.dim)
    if together.shape != wanted or together.dtype != np.float32:
        raise Broken(f"{len(snippets)} snippets give {together.dtype} {together.shape}, not float32 {wanted}")
    if not np.isfinite(together).all():
        raise Broken("some features are not finite")
    alone = np.concatenate([backbone.extract([snippet]) for snippet in snippets])
    if np.abs(alone - together).max() > 1e-3 * max(1.0, float(np.abs(together).max())):
        raise Broken("a snippet's features depend on the other snippets of the call")


def _snippets(backbone: Any) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    if backbone.modality == "audio":
        rate = int(backbone.recipe()["sample_rate"])
        return [(0.1 * generator.normal(size=rate)).astype(np.float32), np.zeros(rate, np.float32)]
    shape = (16, 64, 80, 3)
    return [generator.integers(0, 256, shape, dtype=np.uint8), np.zeros(shape, np.uint8)]


def counts_videos(subject: Subject) -> None:
    """it is fed video by video, and gives figures that survive JSON and do not depend on the order"""
    figures = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        metric = subject.build()
        for video in order:
            metric.add(**_scored_video(video))
        figures.append(metric.figures(0.5))
    try:
        first, second = (json.loads(json.dumps(found, allow_nan=False)) for found in figures)
    except (TypeError, ValueError) as error:
        raise Broken(f"figures() holds a value that JSON cannot store: {error}") from None
    if not first:
        raise Broken("figures() is empty")
    changed = [name for name in first if not _alike(first[name], second.get(name))]
    if changed:
        raise Broken(f"{', '.join(changed)} changes with the order of the videos")


def _scored_video(video: int) -> dict[str, Any]:
    """Return what ``add`` takes: videos with an odd number are abnormal, in their third and fourth snippet."""
    t, abnormal = 5 + video, video % 2
    positives = np.zeros(t, dtype=np.int64)
    positives[2:4] = 16 * abnormal
    return {
        "name": f"video{video}",
        "scores": np.random.default_rng(video).random(t),
        "positives": positives,
        "frames": np.full(t, 16),
        "label": abnormal,
        "group": ("fight",) if abnormal else (),
    }


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    return abs(a - b) < 1e-9 if isinstance(a, float) and isinstance(b, float) else bool(a == b)


def builds_without_arguments(subject: Subject) -> None:
    """it can be built without arguments, or has an example"""
    needed = [
        p.name
        for p in list(inspect.signature(subject.cls.__init__).parameters.values())[1:]
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in subject.args
    ]
    if needed:
        raise Broken(f"{', '.join(needed)} must be given; set 'example'")


SAMPLER = [
    builds_without_arguments,
    brings_to_one_length,
    draws_from_its_generator,
    samples_in_place,
    finishes_a_batch,
    cuts_and_spreads,
]
POSTPROCESS = [builds_without_arguments, keeps_the_length]
LABELLER = [builds_without_arguments, gives_targets]
METRIC = [builds_without_arguments, counts_videos]
BACKBONE = [says_what_it_is_fed, writes_a_recipe, extracts]
