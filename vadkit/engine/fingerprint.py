"""A hash that shows whether the training videos are still the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from vadkit.data.targets import Targets
from vadkit.video import VideoDataset, with_label


class FingerprintJson(msgspec.Struct):
    """A fingerprint in a checkpoint."""

    videos: int
    sha256: str
    targets: str | None = None


def fingerprint(
    dataset: VideoDataset, split: str, targets: Targets | None = None, clicks: bool = False, presence: bool = False
) -> dict[str, Any]:
    """Return the count of a split's videos, a SHA-256 over what training takes from the list, and that of targets.

    Clicks, and which streams are absent, count where training takes them. Order counts, for batches are drawn by
    position. The features themselves are not read.
    """
    videos = with_label(dataset.videos(split))
    listed = [
        [v.name, v.label, list(v.classes), v.num_frames]
        + ([list(v.clicks)] if clicks else [])
        + ([dict(v.absent)] if presence and v.absent else [])
        for v in videos
    ]
    found = {"videos": len(videos), "sha256": hashlib.sha256(json.dumps(listed).encode()).hexdigest()}
    return found if targets is None else {**found, "targets": targets.sha256}
