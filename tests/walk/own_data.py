"""What a new user brings: ten short videos of her own, and features that somebody gave her.

python own_data.py FOLDER
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS, SECONDS, RATE = 25, 3, 16000
HEIGHT, WIDTH = 96, 128


def pictures(abnormal: bool, seed: int) -> np.ndarray:
    """Return uint8 (frames, height, width, 3): a scene that drifts by, with a bright square that jumps if abnormal."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(60, 120, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    frames = np.stack([np.roll(scene, number // 2, 1) for number in range(FPS * SECONDS)])
    for number in range(len(frames) // 4, len(frames) * 3 // 4) if abnormal else ():
        y, x = rng.integers(0, HEIGHT - 32), rng.integers(0, WIDTH - 32)
        frames[number, y : y + 32, x : x + 32] = (255, 160, 40)
    return frames


def sound(abnormal: bool, seed: int) -> np.ndarray:
    """Return float32 (1, samples): a hum, with noise over the middle if abnormal."""
    rng = np.random.default_rng(seed)
    samples = 0.05 * np.sin(2 * np.pi * (100 + seed) * np.arange(SECONDS * RATE) / RATE)
    samples += 0.01 * rng.standard_normal(len(samples))
    if abnormal:
        middle = slice(SECONDS * RATE // 4, SECONDS * RATE * 3 // 4)
        samples[middle] += 0.4 * rng.standard_normal(SECONDS * RATE // 2)
    return samples.astype(np.float32)[None]


def write_video(path: Path, abnormal: bool, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = file.add_stream("aac", rate=RATE, layout="mono")
        for picture in pictures(abnormal, seed):
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(sound(abnormal, seed), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        file.mux(audio.encode(frame))
        file.mux(audio.encode(None))


def write_features(folder: Path, names: list[str], abnormal: list[bool]) -> None:
    """Write I3D-like features (snippets, 1024), whose middle is larger in an abnormal video."""
    folder.mkdir(parents=True)
    for seed, (name, bad) in enumerate(zip(names, abnormal)):
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((24 + seed, 1024), dtype=np.float32)
        rows[6:14] += 2.0 * bad
        np.save(folder / f"{name}.npy", rows)


def main(folder: Path) -> None:
    for number in range(5):
        write_video(folder / "videos" / "quiet" / f"street {number}.mp4", False, number)
        write_video(folder / "videos" / "trouble" / f"\u00dcberfall {number}.mp4", True, 10 + number)
    names = [f"cam_{number:02}" for number in range(16)]
    write_features(folder / "features" / "i3d", names, [number % 2 == 1 for number in range(16)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
