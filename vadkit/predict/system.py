"""A trained model with everything that scoring a video needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.backbones.recipe import ARITHMETIC, RANDOM
from vadkit.components import build_component, find_component
from vadkit.data.from_config import build_eval_sampler
from vadkit.data.presence import piece_with_gaps
from vadkit.devices import choose_device
from vadkit.evaluate.score import build_post, crops_of
from vadkit.evaluate.score_video import Crops, evaluating, joined, parts_of
from vadkit.events import EventRule
from vadkit.extract.one_pass import Extracted, Progress, extract_video, recipe
from vadkit.extract.snippets import Clock
from vadkit.files import sha256
from vadkit.graph.arguments import arguments
from vadkit.graph.model_file import load, read_header
from vadkit.graph.module import VadModel
from vadkit.graph.ranges import outside, threshold_of
from vadkit.graph.schema import with_defaults
from vadkit.kinds import Backbone, Postprocess, Sampler
from vadkit.predict.lifts import FLOAT32_LIMIT, JOINT, LIMIT, Lifts, Scored, logits_of, neutral
from vadkit.presence import STREAM as PRESENCE
from vadkit.presence import Spans, is_throughout, present_rows
from vadkit.problems import as_sentence, fail, plural
from vadkit.store.recipes import meaningless_warnings, other_recipes

# How videos are cut if the model file does not state it.
USUAL: dict[str, Any] = {"snippet_frames": 16, "fps": None, "tail": "repeat"}
NO_EVENTS = "the scores of this model are unbounded and it has no threshold, so no events are reported; set one"
NOTHING: Mapping[str, Spans] = {}  # is absent
MAY_DIFFER = {"crops", *ARITHMETIC}  # training may use several crops, scoring uses one


@dataclass
class System:
    """The model, its backbones by input name, how to cut videos, and how to post-process scores.

    ``notices`` are sentences that no page may leave out; ``warnings`` are the others.
    """

    path: Path
    sha256: str
    model: VadModel
    header: dict[str, Any]
    backbones: dict[str, Backbone]
    clock: dict[str, Any]
    recipes: dict[str, dict[str, Any]]
    post: list[Postprocess]
    threshold: float | None  # None: without one there are no events
    device: torch.device
    warnings: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    sampler: Sampler | None = None
    crops: Crops = "mean"
    rule: EventRule | None = None  # of events; its ``on`` is the threshold

    @property
    def lookahead(self) -> int | str:
        """Snippets after its own on which a score depends; a piece may be all of them."""
        return self.model.lookahead if self.sampler is None else "all"

    @property
    def unit(self) -> str:
        """What contributions are measured in: logits, or the score itself if it is no probability."""
        return "logit" if self.model.output_range == "probability" else "score"

    @property
    def notice(self) -> str | None:
        """What readers must not miss: that the scores of this model mean little or nothing, and why."""
        return " ".join(self.notices) or None

    def extract(self, video: Path, progress: Progress | None = None) -> Extracted:
        """Return the features of all inputs. Raises VadkitError for a video that cannot be used."""
        return extract_video(video, self.backbones, Clock(**self.clock), progress=progress)

    def score(self, streams: Mapping[str, np.ndarray], absent: Mapping[str, Spans] = NOTHING) -> np.ndarray:
        """Return the post-processed scores (t,) for streams (t, dim) or (crops, t, dim), by the protocol of evaluation.

        Without a sampler a video is scored as a whole, since a score may depend on all of it. Time grows
        with t * t, but memory stays small: a process that scores three hours (t = 16 200) with the
        three-stream graph peaks at 1.6 GB, 0.9 GB of which it uses before.
        """
        return self.scored(streams, absent).scores

    def missing(self, found: Extracted) -> Mapping[str, Spans]:
        """Return what a video lacks and the model scores it without, as it takes ``presence``."""
        return found.absent if self.model.takes_presence else NOTHING

    def given(
        self, streams: Mapping[str, np.ndarray], absent: Mapping[str, Spans] = NOTHING
    ) -> dict[str, torch.Tensor]:
        """Return what the model takes: its inputs (crops, t, dim), and ``presence`` if some snippets are ``absent``."""
        by_crop = {name: streams[name].reshape(-1, *streams[name].shape[-2:]) for name in self.backbones}
        crops, t = max(map(len, by_crop.values())), next(iter(by_crop.values())).shape[1]
        there = {name: present_rows(absent.get(name, ()), t) for name in self.model.training_sizes}
        found = {
            name: torch.from_numpy(x * there[name][:, None] if name in absent else x).expand(crops, -1, -1)
            for name, x in by_crop.items()
        }
        if absent:
            found[PRESENCE] = torch.from_numpy(np.stack([*there.values()], -1)).expand(crops, -1, -1)
        return found

    def scored(self, streams: Mapping[str, np.ndarray], absent: Mapping[str, Spans] = NOTHING) -> Scored:
        """Return the same scores together with their logits. What is ``absent`` counts as missing."""
        return self.scored_of(self.given(streams, absent))

    def scored_of(self, given: Mapping[str, torch.Tensor]) -> Scored:
        """Return the scores of what the model takes, or of a piece of it."""
        output = str(self.model.plan.output)

        def before_sigmoid(part: dict[str, torch.Tensor], mask: torch.Tensor | None) -> torch.Tensor:
            n = len(next(iter(part.values())))
            if PRESENCE in part:
                streams, presence = piece_with_gaps(part, mask, list(self.model.training_sizes))
                part = {**streams, PRESENCE: presence}
            return self.model.values({**part, "crops": n, "mask": mask}, [output])[output]

        with evaluating(self.model, self.device):
            parts = parts_of(before_sigmoid, given, self.device, sampler=self.sampler, crops=self.crops)
        return self._finished(parts, next(iter(given.values())).shape[1])

    def _finished(self, parts: list[torch.Tensor], t: int) -> Scored:
        """Return the post-processed scores (t,). Logits are exact for one crop of a whole video without such steps."""
        is_logit = self.model.plan.output.probability
        single = [torch.sigmoid(x) if is_logit else x for x in parts]
        double = [torch.sigmoid(x.double()) if is_logit else x for x in parts]
        scores = joined(single, self.sampler, t).astype(np.float32)
        fine = joined(double, self.sampler, t)
        for step in self.post:
            scores, fine = step(scores), step(fine)
        if not np.isfinite(scores).all():
            fail("the model returned scores that are not finite", "did its training finish?")
        if is_logit and self.sampler is None and len(parts[0]) == 1 and not self.post:
            return Scored(scores, parts[0][0].double().numpy())
        if self.model.output_range == "probability":
            return Scored(scores, logits_of(fine, LIMIT if is_logit else FLOAT32_LIMIT))
        return Scored(scores, fine.astype(np.float64))

    def lifts(self, streams: Mapping[str, np.ndarray], scored: Scored, absent: Mapping[str, Spans] = NOTHING) -> Lifts:
        """Return what each stream adds: what is lost if it is replaced by its neutral value. One that is absent adds 0.

        Where a score reaches the threshold without any one stream, sets of them are replaced, too: those that add
        most to the highest score first, until no score reaches it.
        """
        contributions, without = {}, {}
        gone = [name for name, spans in absent.items() if is_throughout(spans)]
        calm = {name: neutral(streams[name], scored.scores, absent.get(name, ())) for name in self.backbones}
        for name in self.backbones:
            left = scored if name in gone else self.scored({**streams, name: calm[name]}, absent)
            contributions[name], without[name] = scored.logits - left.logits, left.scores
        top = int(np.argmax(scored.scores))
        order = sorted((n for n in self.backbones if n not in gone), key=lambda name: -contributions[name][top])
        least = np.min(list(without.values()), axis=0)
        for count in range(2, len(order) + 1):
            if self.threshold is None or (least < self.threshold).all():
                break
            names = order[:count]
            left = self.scored({**streams, **{name: calm[name] for name in names}}, absent)
            without[JOINT.join(names)] = left.scores
            least = np.minimum(least, left.scores)
        return Lifts(contributions, without)


def load_system(
    path: Path, device: str = "auto", threshold: float | None = None, weights: Mapping[str, str] | None = None
) -> System:
    """Return the system of a model file.

    Args:
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", ...
        threshold: the lowest score of an event; None takes the model's own. A model of unbounded scores may have none.
        weights: paths of the backbones' weight files by input name; the others are as in training. A
            backbone that had random weights in training gets the same ones.

    Raises VadkitError for a broken model file, a model whose inputs name no backbone, a missing device,
    and a threshold outside the range of the scores.
    """
    place = choose_device(device)
    header = read_header(path)
    spec = header["spec"]
    _need_backbones(path, spec["inputs"])
    model = load(path, str(place))
    evaluation = with_defaults(spec)["eval"]
    stored = stored_recipes(header)
    inputs = _with_weights(spec["inputs"], weights or {}, stored)
    backbones = {name: _backbone(name, section, place) for name, section in inputs.items()}
    _check_threshold(threshold, model.output_range)
    rule = _rule(threshold, header["extra"].get("events"), threshold_of(evaluation, model.output_range))
    chosen = None if rule is None else rule.on
    _check_threshold(chosen, model.output_range)
    unfinished = header["extra"].get("unfinished")
    warnings: list[str] = [unfinished] if unfinished else []
    if chosen is None:
        warnings.append(NO_EVENTS)
    clock = clock_of(stored, header["extra"].get("snippet_frames"), warnings)
    recipes = {name: recipe(spec["inputs"][name]["use"], b, Clock(**clock)) for name, b in backbones.items()}
    warnings += other_recipes(stored, recipes, MAY_DIFFER)
    return System(
        path,
        sha256(path),
        model,
        header,
        backbones,
        clock,
        recipes,
        build_post(evaluation),
        chosen,
        place,
        warnings,
        _notices(header, {**recipes, **stored}),
        build_eval_sampler(evaluation),
        crops_of(evaluation),
        rule,
    )


def _rule(given: float | None, learned: Mapping[str, Any] | None, stated: float | None) -> EventRule | None:
    """Return the rule of events: by the given threshold, as learned from ordinary footage, or by that of the config."""
    if given is None and learned:
        return EventRule(learned["on"], learned["off"], learned.get("least_s", 0.0), learned.get("cool_down_s", 0.0))
    threshold = stated if given is None else given
    return None if threshold is None else EventRule.at(threshold)


def _notices(header: Mapping[str, Any], recipes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what makes the scores mean little: what the training data were, and networks with random weights."""
    stated = header["extra"].get("notice")
    trained = [f"about the training data of the model: {stated}"] if stated else []
    return [as_sentence(text) for text in (*trained, *meaningless_warnings(recipes, "input"))]


def _with_weights(
    inputs: Mapping[str, Any], files: Mapping[str, str], stored: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the inputs with the given weight files, or with random weights where training had them."""
    for name in files:
        if name not in inputs:
            fail(f"--weights {name}: the model has no such input", f"its inputs are {', '.join(inputs)}")
    found = {}
    for name, section in inputs.items():
        args = dict(section.get("args") or {})
        if name in files:
            args.pop("random_weights", None)
            args["weights"] = files[name]
        elif args.get("weights") is None and stored.get(name, {}).get("weights") == RANDOM:
            args["random_weights"] = True
        found[name] = {**section, "args": args}
    return found


def _backbone(name: str, section: Mapping[str, Any], device: torch.device) -> Backbone:
    """Return the backbone of an input, on ``device`` if it takes one, whatever the device of training."""
    component = find_component(section["use"], "backbone")
    args = dict(section.get("args") or {})
    if "device" in arguments(component):
        args["device"] = str(device)
    return build_component(component, args, f"inputs.{name}")  # type: ignore[no-any-return]


def _need_backbones(path: Path, inputs: Mapping[str, Any]) -> None:
    plain = {name: size for name, size in inputs.items() if not isinstance(size, dict)}
    if plain:
        listed = ", ".join(f"{name} ({size})" for name, size in plain.items())
        fail(
            f"{path} takes features, not videos: no backbone is named for its input {listed}",
            "to score videos, name a backbone in the graph (for example rgb: {use: NAME}; 'vadkit list "
            "backbone' shows the names) and train on features extracted with it; to score existing "
            "features, use vadkit eval",
        )


def _check_threshold(threshold: float | None, output_range: str) -> None:
    if threshold is not None and not np.isfinite(threshold):
        fail(f"the threshold is {threshold}; it must be a finite number")
    if outside(threshold, output_range):
        fail(f"the threshold is {threshold:g}, but this model's scores are between 0 and 1")


def stored_recipes(header: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the recipes that the model was trained on, by input name; empty if the file does not state them."""
    recipes = header["extra"].get("recipes") or {}
    names = header["spec"]["data"].get("streams") or {}
    found = {name: recipes.get(name, recipes.get(names.get(name, name))) for name in header["spec"]["inputs"]}
    return {name: stored for name, stored in found.items() if stored}


def clock_of(
    stored: Mapping[str, Mapping[str, Any]], snippet_frames: int | None, warnings: list[str]
) -> dict[str, Any]:
    """Return snippet_frames, fps and tail as in training."""
    clocks = [{key: recipe.get(key, usual) for key, usual in USUAL.items()} for recipe in stored.values()]
    if not clocks:
        frames = snippet_frames or USUAL["snippet_frames"]
        warnings.append(
            "the model file does not state the recipe of the features it was trained on: "
            f"snippets of {plural(frames, 'frame')} at the video's own rate are assumed"
        )
        return {**USUAL, "snippet_frames": frames}
    if any(clock != clocks[0] for clock in clocks):
        fail(
            f"the streams of the model were cut differently: {clocks}",
            "re-extract them with the same settings and train again",
        )
    return clocks[0]
