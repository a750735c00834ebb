"""Reading and sampling of systems whose models vadkit has not got (yet): lists, lengths, segments.

Legend: t snippets, c channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import published_lists as published
from cases import Case

from systems.errors import NoSuchSystem
from systems.harness import component
from vadkit.data.whole_videos import cut_to_shortest

# Streams of a modality, in the order in which the authors join them.
STREAMS = {
    "RGB": ("rgb",),
    "FLOW": ("flow",),
    "AUDIO": ("audio",),
    "MIX": ("rgb", "flow"),
    "MIX1": ("rgb", "flow"),
    "MIX2": ("rgb", "audio"),
    "MIX3": ("flow", "audio"),
    "MIX_ALL": ("rgb", "flow", "audio"),
}
RNG = np.random.default_rng(0)


def only_data(case: Case) -> dict[str, Any]:
    """Run what needs no model. Raises NoSuchSystem for everything else."""
    if case.kind != "data-processing":
        raise NoSuchSystem(f"no such system: of {case.system} vadkit has only how it reads and samples, not the model")
    if case.config["mode"] == "data":
        return _joined_streams(case)
    if "part_num" in case.config:
        return _parts(case)
    return _segments(case) if case.inputs else _rows(case)


def _segments(case: Case) -> dict[str, Any]:
    """segment_mean on single videos: bn_wvad (200), rtfm and those after it (32)."""
    sampler = component("segment_mean")(length=case.config.get("num_segments") or case.config["length"])
    results = {}
    for name, video in case.inputs.items():
        taken = sampler.sample({"x": video}, RNG)[0]["x"]
        results[f"segments.{name.removeprefix('video')}"] = results[f"segments{name.removeprefix('video')}"] = taken
    return results


def _rows(case: Case) -> dict[str, Any]:
    """uniform_pad by row numbers, -1 for padding: macil_sd and msbt."""
    sampler = component("uniform_pad")(length=case.config["max_seqlen"])
    results = {}
    for t in case.given["lengths"]:
        numbered = np.arange(1, t + 1, dtype=np.float32)[:, None]
        results[f"index.{t}"] = sampler.sample({"x": numbered}, RNG)[0]["x"][:, 0].astype(int) - 1
    return results


class _Extreme(np.random.Generator):
    """Draws the smallest or the largest number."""

    def __init__(self, largest: bool) -> None:
        super().__init__(np.random.PCG64(0))
        self.largest = largest

    def integers(self, high: int) -> int:  # type: ignore[override]
        return high - 1 if self.largest else 0


def _parts(case: Case) -> dict[str, Any]:
    """consecutive_parts with the smallest and the largest offset: lstc."""
    sampler = component("consecutive_parts")(parts=case.config["part_num"], run=case.config["part_len"])
    return {
        f"index_{name}.{t}": sampler.rows(t, _Extreme(name == "high"))
        for t in case.given["lengths"]
        for name in ("low", "high")
    }


def _joined_streams(case: Case) -> dict[str, Any]:
    """Items of hl_net and cma_la: files by name, sound once per video, streams cut to the shortest and joined."""
    files: dict[tuple[str, str, int], np.ndarray] = {}
    lists: dict[str, list[published.Entry]] = {"rgb": [], "flow": [], "audio": []}
    for key, array in case.inputs.items():
        stream, _, name = key.partition("/")
        entry = published.xd_violence(f"/media/somebody/{stream}/{name.removesuffix('__vggish')}.npy")
        files[stream, entry.name, entry.crop] = array[0]
        lists[stream].append(entry)
    results: dict[str, Any] = {}
    for modality in case.config["modalities"]:
        streams = STREAMS[modality]
        rows = case.given["rows"][modality]
        entries = [lists[streams[0]][row] for row in rows]
        assert [float(entry.label) for entry in entries] == case.given["labels"][modality]
        for row, entry in zip(rows, entries):
            item = {s: files[s, entry.name, 0 if s == "audio" else entry.crop] for s in streams}
            results[f"{modality}/test/{row}"] = _join(item, min(map(len, item.values())))
            sampler = component("uniform_pad")(length=case.config["max_seqlen"])
            results[f"{modality}/train/{row}"] = _join(sampler.sample(cut_to_shortest(item), RNG)[0], sampler.length)
    return results


def _join(item: dict[str, np.ndarray], t: int) -> np.ndarray:
    return np.concatenate([x[:t] for x in item.values()], 1)
