"""The paths of published feature files, and the list files that name them.

XD-Violence as in XDVioDet (Wu et al., ECCV 2020), UCF-Crime and ShanghaiTech as in PEL4VAD (Pu et al., IEEE TIP 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vadkit.datasets.annotations import Annotated, DataSet
from vadkit.problems import Problem, VadkitError, did_you_mean


@dataclass(frozen=True)
class StreamLayout:
    """One stream: ``crops`` files of ``width`` numbers per snippet for each video.

    ``folders`` and ``lists`` are by split, below the folder of the data set. ``file`` has fields for the name
    and the crop; ``first`` is the file of crop 0 if it is named differently. ``labels``: a line of a list
    ends in the label.
    """

    name: str
    width: int
    crops: int
    folders: Mapping[str, str]
    lists: Mapping[str, str]
    file: str
    first: str | None = None
    labels: bool = False

    def path(self, video: Annotated, crop: int) -> str:
        """Return the file of a crop, below the folder of the data set."""
        pattern = self.first if self.first is not None and crop == 0 else self.file
        return f"{self.folders[video.split]}/{pattern.format(name=video.name, crop=crop)}"

    def lines(self, videos: Sequence[Annotated]) -> list[str]:
        """Return the lines of the list of videos of one split: a file per line, the crops of a video in a row."""
        return [
            self.path(video, crop) + (f" {float(video.label)}" if self.labels else "")
            for video in videos
            for crop in range(self.crops)
        ]


def _xd(name: str, folder: str, test_folder: str, width: int, crops: int, file: str) -> StreamLayout:
    return StreamLayout(
        name,
        width,
        crops,
        {"train": folder, "test": test_folder},
        {"train": f"list/{name}.list", "test": f"list/{name}_test.list"},
        file,
    )


SPLIT_FOLDERS = {"train": "train", "test": "test"}
SPLIT_LISTS = {"train": "train.list", "test": "test.list"}


def _others(file: str, labels: bool = False) -> tuple[StreamLayout, ...]:
    """Return the streams of UCF-Crime and ShanghaiTech that graphs read and PEL4VAD has not: flow and CLIP."""
    return tuple(
        StreamLayout(
            name,
            width,
            crops,
            {split: f"{name}-features/{split}" for split in SPLIT_FOLDERS},
            {split: f"{name}-features/{split}.list" for split in SPLIT_FOLDERS},
            file,
            labels=labels,
        )
        for name, width, crops in (("flow", 1024, 10), ("clip", 512, 1))
    )


# CLIP is of ViT-B/16, one vector per snippet, in files as VadCLIP (Wu et al., AAAI 2024) names them.
LAYOUTS: dict[DataSet, tuple[StreamLayout, ...]] = {
    "xd_violence": (
        _xd("rgb", "i3d-features/RGB", "i3d-features/RGBTest", 1024, 5, "{name}__{crop}.npy"),
        _xd("flow", "i3d-features/Flow", "i3d-features/FlowTest", 1024, 5, "{name}__{crop}.npy"),
        _xd("audio", "vggish-features/train", "vggish-features/test", 128, 1, "{name}__vggish.npy"),
        _xd("clip", "clip-features/train", "clip-features/test", 512, 1, "{name}__{crop}.npy"),
    ),
    "ucf_crime": (
        StreamLayout("rgb", 1024, 10, SPLIT_FOLDERS, SPLIT_LISTS, "{name}__{crop}.npy", first="{name}.npy"),
        *_others("{name}__{crop}.npy"),
    ),
    "shanghaitech": (
        StreamLayout("rgb", 1024, 10, SPLIT_FOLDERS, SPLIT_LISTS, "{name}_{crop}.npy", labels=True),
        *_others("{name}_{crop}.npy", labels=True),
    ),
}
# The frame labels that published code reads: one flat vector of all test videos in the order of their list.
TRUTH = {"xd_violence": "list/gt.npy", "ucf_crime": "gt-ucf.npy", "shanghaitech": "gt-sh.npy"}


def layout_of(data_set: DataSet, streams: Sequence[str] | None = None) -> tuple[StreamLayout, ...]:
    """Return the layout of the named streams, or of all. Raises VadkitError for an unknown stream."""
    known = {stream.name: stream for stream in LAYOUTS[data_set]}
    problems = []
    for name in streams or ():
        if name not in known:
            hint = did_you_mean(name, known) or f"it has {', '.join(known)}"
            problems.append(Problem(f"the features of {data_set} have no stream '{name}'", hint=hint))
    if problems:
        raise VadkitError(problems)
    return tuple(stream for stream in known.values() if not streams or stream.name in streams)
