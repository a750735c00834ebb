"""How often the true rate of alarms is in the interval that ``vadkit calibrate`` states, on simulated ordinary scores.

    python benchmarks/calibration.py [--repeats 100]

In each repeat the rule is learned from two days of simulated scores, and applied to twenty other days of the same
camera. Writes benchmarks/results/calibration-cpu-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
import torch
from results import write

from vadkit.calibrate.learn import CONFIDENCE, DAY, Footage, Learned, learn
from vadkit.events import spans

STEP = 0.64  # seconds of a snippet: 16 frames at 25 a second
PERSISTENCE = 0.9  # of what happens, from snippet to snippet
HOURS, HELD_OUT = 48.0, 480.0
# Cameras: the wanted alarms a day, and by how much the level of scores is raised in one hour of twelve.
CAMERAS = {"day and night": (4.0, 0.0), "with busy hours": (8.0, 0.5)}


def ordinary(hours: float, rng: np.random.Generator, name: str = "street", busy: float = 0.0) -> Footage:
    """Return scores of an ordinary camera: a level that wanders, and by day more happens than by night."""
    t = round(hours * 3600 / STEP)
    kernel = PERSISTENCE ** np.arange(60)
    noise = np.convolve(rng.standard_normal(t + 59), kernel / np.linalg.norm(kernel), "valid")
    time = np.arange(t) * STEP
    level = 0.3 * np.sin(2 * np.pi * (time / DAY + rng.random()))
    level += busy * (rng.random(int(hours) + 1) < 1 / 12)[(time // 3600).astype(int)]
    scores = 1 / (1 + np.exp(3 - 1.2 * (noise + level)))
    return Footage(name, np.round(scores, 6), np.round(np.arange(t + 1) * STEP, 3))


def held_out_rate(
    seed: int, alarms: float = 4.0, busy: float = 0.0, hours: float = HOURS, held_out_hours: float = HELD_OUT
) -> tuple[Learned, float]:
    """Return what was learned, and the alarms a day that the rule raises on other days."""
    rng = np.random.default_rng(seed)
    learned = learn([ordinary(hours, rng, busy=busy)], alarms, cool_down_s=10.0)
    later = ordinary(held_out_hours, rng, busy=busy)
    return learned, len(spans(later.scores, later.edges, learned.rule)) * DAY / later.seconds


def measure(camera: str, repeats: int) -> dict[str, object]:
    alarms, busy = CAMERAS[camera]
    found = [held_out_rate(1000 + seed, alarms, busy) for seed in range(repeats)]
    rates = [rate for _, rate in found]
    return {
        "camera": camera,
        "wanted alarms a day": alarms,
        "in the interval": sum(learned.interval[0] <= rate <= learned.interval[1] for learned, rate in found),
        "repeats": repeats,
        "median held-out rate": round(statistics.median(rates), 2),
        "lowest": round(min(rates), 2),
        "highest": round(max(rates), 2),
        "median interval": " to ".join(
            f"{statistics.median(learned.interval[side] for learned, _ in found):.2f}" for side in (0, 1)
        ),
        "median dispersion": round(statistics.median(learned.dispersion for learned, _ in found), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    rows = [measure(camera, repeats) for camera in CAMERAS]
    conditions = {"learned from": f"{HOURS:g} h", "held out": f"{HELD_OUT:g} h", "interval": f"{CONFIDENCE:.0%}"}
    write("calibration", "Calibration: the held-out rate of alarms and its interval", rows, conditions, "cpu")


if __name__ == "__main__":
    main()
