"""Train on one data set, test on another, with a few videos of it for tuning: a matrix with intervals."""

from __future__ import annotations
