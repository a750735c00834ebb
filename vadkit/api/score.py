"""``vadkit.score`` and ``vadkit.Scorer``: scores of one video, from its features, its file or its frames.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.api.arguments import as_device, as_model, as_path
from vadkit.api.features import OneVideo, as_features
from vadkit.api.frames import Frames
from vadkit.api.predict import Prediction
from vadkit.devices import choose_device
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.extract.one_pass import Extracted, extract_media
from vadkit.extract.snippets import Clock
from vadkit.graph import model_file
from vadkit.graph.module import VadModel
from vadkit.predict.events import find_events
from vadkit.predict.system import System, load_system
from vadkit.problems import fail

Model = str | PathLike[str] | VadModel


class Scorer:
    """A trained model that is loaded once and scores videos one by one.

    Args:
        model: a .safetensors file, or a model of ``vadkit.load``, ``vadkit.train`` or ``vadkit.build``, which scores
            features only.
        device: "cpu", "cuda", "cuda:1", ..., or "auto", a GPU if there is one. A loaded model is moved there.
        smooth: apply the model's ``eval.post``, as ``vadkit.evaluate`` and ``vadkit.predict`` do.
        weights: weight files of backbones by input name, if they are not where they were in training.

    The backbones are loaded by the first call of ``video`` or ``frames``. Raises VadkitError for a file that is no
    sound model and for a device that cannot be used here.

    Example:
        >>> scorer = vadkit.Scorer("runs/rgb/model.safetensors")
        >>> scorer.features({"rgb": rgb, "clip": clip})  # float32 (40, 1024), (40, 512) -> (40,)
        >>> scorer.video("clip.mp4").events
        >>> scorer.frames(frames, fps=25).scores  # uint8 (n, height, width, 3)
    """

    def __init__(
        self,
        model: Model,
        device: str | torch.device | None = "cpu",
        *,
        smooth: bool = True,
        weights: Mapping[str, str | PathLike[str]] | None = None,
    ) -> None:
        self.device = choose_device(as_device(device))
        self.path = None if isinstance(model, VadModel) else as_model(model, "model")
        self.model = model if isinstance(model, VadModel) else model_file.load(self.path or "", self.device)
        self.model.to(self.device)
        self.smooth = smooth
        self._weights = {name: fspath(file) for name, file in (weights or {}).items()}
        self._system: System | None = None

    def features(self, streams: Mapping[str, Any], absent: Mapping[str, Any] | None = None) -> np.ndarray:
        """Return the scores of one video from its features, by the protocol of ``vadkit.evaluate``.

        Pieces and crops are those of the model's ``eval`` section; scores of crops are averaged after the sigmoid. A
        stream that is a few rows longer or shorter than the first input is cut, or filled with zeros; a single crop
        is used for all.

        Args:
            streams: by input name, arrays or tensors (t, width) or (crops, t, width) of any float type. A model that
                takes ``presence`` scores what there is; for another one none may be left out.
            absent: what is lost of a stream, by its name: True, or a bool (t,) that is True where it is.

        Returns:
            float32 (t,), t the rows of the model's first input, or of the shortest if ``data.align`` says so.

        Raises:
            VadkitError: naming the stream, for a missing or unknown one, another width, no rows, NaN or infinity, and
                lengths that differ too much to be of one video.
        """
        given = as_features(self.model.input_sizes, streams, self.model.takes_presence)
        dataset = OneVideo(given)
        name = dataset.video.name
        lost = {stream: rows if isinstance(rows, bool) else {name: rows} for stream, rows in (absent or {}).items()}
        section = dict(self.model.spec.get("eval") or {})
        if not self.smooth:
            section["post"] = []
        found = evaluate_as_configured(self.model, dataset, section, split="test", device=self.device, absent=lost)
        return found.scores[name]

    def video(self, path: str | PathLike[str]) -> Prediction:
        """Return scores, times and events of a video file, as ``vadkit.predict`` gives them.

        Returns:
            A ``Prediction``, without ``contributions``.

        Raises:
            VadkitError: for a file that cannot be used, and a model whose inputs name no backbone.
        """
        system, file = self._with_backbones(), as_path(path, "path")
        return self._prediction(system, system.extract(file), file)

    def frames(self, frames: np.ndarray, fps: float) -> Prediction:
        """Return scores, times and events of frames in memory, as of a silent video of the same frames.

        Args:
            frames: uint8 (n, height, width, 3), RGB.
            fps: frames per second.

        Returns:
            A ``Prediction``, without ``contributions``; its ``video`` is None.

        Raises:
            VadkitError: for an array of another type or shape, and a model whose inputs name no backbone.
        """
        media = Frames.of(frames, fps)
        system = self._with_backbones()
        return self._prediction(system, extract_media(media, system.backbones, Clock(**system.clock)), None)

    def _with_backbones(self) -> System:
        if self.path is None:
            fail("a Scorer of a model in memory scores features only", "give it the path of the model's file")
        if self._system is None:
            system = load_system(self.path, str(self.device), None, self._weights)
            self._system = replace(system, model=self.model, post=system.post if self.smooth else [])
        return self._system

    def _prediction(self, system: System, found: Extracted, video: Path | None) -> Prediction:
        raw = system.score(found.streams, system.missing(found)).astype(np.float64)
        scores = np.round(raw, 6) + 0.0  # -0.0 becomes 0.0
        times = np.round(found.snippet_times, 3)
        edges = [*times[:, 0].tolist(), float(times[-1, 1])]
        events = find_events(scores.tolist(), edges, system.rule)
        warnings = (*system.notices, *system.warnings, *found.warnings)
        return Prediction(
            video, scores, times, tuple(events), system.threshold, warnings=warnings, notice=system.notice
        )


def score(
    model: Model,
    streams: Mapping[str, Any],
    *,
    smooth: bool = True,
    device: str | torch.device | None = None,
    absent: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """Return the scores of one video from its features, by the protocol of ``vadkit.evaluate``.

    Args:
        model: a .safetensors file, or a loaded model. For many videos a ``Scorer`` is faster.
        streams: by input name, arrays or tensors (t, width) or (crops, t, width) of any float type.
        smooth: apply the model's ``eval.post``.
        device: "cpu", "cuda", ...; None is where a loaded model is, and the CPU for a file.
        absent: what is lost of a stream, by its name: True, or a bool (t,) that is True where it is. For a model that
            takes ``presence``, streams may also be left out.

    Returns:
        float32 (t,), t the rows of the model's first input: probabilities unless ``model.output_range`` says
        otherwise. Scores of crops are averaged.

    Raises:
        VadkitError: naming the stream, for whatever does not fit; see ``Scorer.features``.

    Example:
        >>> scores = vadkit.score(model, {"rgb": rgb, "clip": clip})  # (40, 1024), (40, 512) -> (40,)
    """
    if device is None and isinstance(model, VadModel):
        device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    return Scorer(model, device or "cpu", smooth=smooth).features(streams, absent)
