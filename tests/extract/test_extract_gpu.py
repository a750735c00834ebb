"""The way of an extraction through a GPU, walked on the CPU: see ``gpu_stand_in`` for what is refused there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gpu_stand_in import Event, Memory, Stream, gpu_stand_in
from torch import Tensor
from unusual_videos import make_video
from vadkit_extraction_toys import FirstRed, Loud, PairCount

from vadkit.backbones import FrameBatch, frozen
from vadkit.cli import main
from vadkit.extract import stages
from vadkit.extract.gpu import Gpu
from vadkit.extract.run import Clock, Resources, StoreResult, extract_store
from vadkit.store.manifest import read_manifest
from vadkit.store.store_json import read_head


class OnGpu(FirstRed):
    """First and last red and the number of frames, computed where the frames are."""

    name = "first_red"
    fails = False

    def __init__(self, device: str = "cuda:0") -> None:
        super().__init__()
        self.device = device

    def rows(self, batch: FrameBatch) -> Tensor:
        self.calls += 1
        if self.fails:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        rows = [torch.stack([x[0, 0, 0, 0], x[-1, 0, 0, 0]]) for x in batch.cut(batch.frames)]
        counts = torch.tensor([[stop - start] for start, stop in batch.spans])
        return torch.cat([torch.stack(rows).float(), counts.float()], 1)


class PairsOnGpu(OnGpu):
    name = "pair_count"
    modality = "flow"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    with gpu_stand_in(monkeypatch) as found:
        yield found


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Return videos of 7 frames, of a whole number of snippets, and of many batches, at 8 frames a second."""
    folder = tmp_path_factory.mktemp("videos")
    lengths = (7, 64, 16 * 5 + 5)
    return [
        {"name": f"v{n}", "file": str(make_video(folder / f"v{n}.mkv", n, video="ffv1", sound=n / 8))} for n in lengths
    ]


def extract(videos: Any, root: Path, backbones: Any, **options: Any) -> StoreResult:
    return extract_store(videos, backbones, root, clock=Clock(fps=8), resources=Resources(workers=0), **options)


def arrays(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.npy"))}


@pytest.mark.parametrize(("tail", "snippets"), [("repeat", 1), ("repeat", 32), ("drop", 2), ("xd_violence", 4)])
def test_rows_are_those_of_the_host(
    videos: Any, tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch, snippets: int, tail: Any
) -> None:
    monkeypatch.setattr(stages, "GPU_SNIPPETS", snippets)
    on_gpu = {"rgb": OnGpu(), "flow": PairsOnGpu(), "audio": Loud()}
    on_host = {"rgb": FirstRed(), "flow": PairCount(), "audio": Loud()}
    for root, backbones in (("gpu", on_gpu), ("host", on_host)):
        extract_store(videos, backbones, tmp_path / root, clock=Clock(8, 16, tail), resources=Resources(workers=0))
    assert arrays(tmp_path / "gpu") == arrays(tmp_path / "host")
    assert read_manifest(tmp_path / "gpu") == read_manifest(tmp_path / "host")


def test_frames_are_sent_once_and_the_host_does_not_wait_for_each_batch(
    videos: Any, tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "GPU_SNIPPETS", 4)
    extract(videos[2:], tmp_path, {"rgb": OnGpu(), "flow": PairsOnGpu()})
    # Five whole snippets and one that is filled up; a batch has the frame after it, which is the next one's first.
    assert [shape[0] for shape in memory.sent] == [4 * 16 + 1, 2 * 16]
    assert memory.waited == 2 * 2 and not memory.begun


def test_a_video_that_fails_does_not_stop_the_others(videos: Any, tmp_path: Path, memory: Memory) -> None:
    backbone = OnGpu()
    found = extract(videos[:2], tmp_path / "one", {"rgb": backbone})
    assert found.extracted == ["v7", "v64"]
    (tmp_path / "bad.mkv").write_bytes(b"no video")
    found = extract(
        [*videos[:2], {"name": "bad", "file": str(tmp_path / "bad.mkv")}], tmp_path / "two", {"rgb": backbone}
    )
    assert found.extracted == ["v7", "v64"] and "bad" in found.failed


def test_an_error_of_the_gpu_is_the_cause(videos: Any, tmp_path: Path, memory: Memory) -> None:
    backbone = OnGpu()
    backbone.fails = True
    with pytest.raises(Exception, match="illegal memory access"):
        extract(videos[:1], tmp_path, {"rgb": backbone})


def test_a_second_run_skips_what_is_done(videos: Any, tmp_path: Path, memory: Memory) -> None:
    extract(videos[:1], tmp_path, {"rgb": OnGpu()})
    before, backbone = arrays(tmp_path), OnGpu()
    assert extract(videos, tmp_path, {"rgb": backbone}).skipped == ["v7"]
    assert backbone.calls == 1 + 2 and before.items() <= arrays(tmp_path).items()


# -- the seam ----------------------------------------------------------------------------------------
def test_memory_that_is_not_pinned_is_refused(memory: Memory) -> None:
    with pytest.raises(ValueError, match="only pinned memory"):
        Gpu("cuda").upload(torch.zeros(3))
    with pytest.raises(RuntimeError, match="pageable"):
        torch.zeros(3).to("cuda:0", non_blocking=True)


def test_a_result_is_read_after_its_event(memory: Memory) -> None:
    coming = Gpu("cuda").fetch(torch.ones(2))
    assert not coming.is_here() and coming.host.isnan().all()  # what a reader that does not wait would get
    assert coming.array().tolist() == [1, 1] and coming.is_here()


def test_a_device_always_has_its_index(memory: Memory) -> None:
    assert Gpu("cuda").device.index == 0
    with pytest.raises(ValueError, match="specified index"):
        Stream("cuda")
    with pytest.raises(Exception, match="cuda:3"):
        Gpu("cuda:3")
    with pytest.raises(RuntimeError, match="never recorded"):
        Event().synchronize()


# -- the command -------------------------------------------------------------------------------------
def test_vadkit_extract_on_cuda(
    videos: Any, tmp_path: Path, memory: Memory, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "GPU_BATCH", 4)
    streams = ["rgb=i3d_rgb,short_side=32", "flow=i3d_flow,short_side=32", "audio=vggish", "mel=logmel_stats"]

    def command(root: str, *more: str) -> Path:
        options = [part for stream in streams for part in ("--stream", stream)]
        how = ["--random-weights", "--crops", "5", "--fps", "8", "--workers", "0", "--out", str(tmp_path / root)]
        assert main(["extract", videos[0]["file"], *options, *how, *more]) == 0
        return tmp_path / root

    on_gpu, on_cpu = command("gpu", "--device", "cuda", "--precision", "tf32"), command("cpu")
    streams_json = json.loads((on_gpu / "store.json").read_text())["streams"]
    for stream in ("rgb", "flow", "audio"):
        recipe = streams_json[stream]["recipe"]
        assert (recipe["device"], recipe["precision"], recipe["algorithms"]) == ("cuda", "tf32", "timed")
    assert streams_json["flow"]["recipe"]["flow_form"] in ("triton", "torch")
    assert "device" not in streams_json["mel"]["recipe"]
    assert "device" not in read_head(on_cpu).streams["rgb"].recipe  # type: ignore[operator]
    for stream in ("rgb", "flow", "audio", "mel"):
        one, two = (np.load(root / stream / "v7.npy") for root in (on_gpu, on_cpu))
        assert one.shape == two.shape
        assert np.linalg.norm(one - two) <= 1e-4 * np.linalg.norm(two)
    assert len(memory.sent) == 1  # the two streams of pictures share it
    assert main(["extract", videos[0]["file"], "--stream", "rgb=i3d_rgb,short_side=32", "--random-weights", "--crops",
                 "5", "--fps", "8", "--workers", "0", "--out", str(on_gpu)]) != 0  # fmt: skip
    assert "was extracted with device: cuda" in capfd.readouterr().err
