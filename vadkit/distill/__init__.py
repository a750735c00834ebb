"""Train a student on the scores and features of a trained teacher, by the ordinary training."""

from __future__ import annotations
