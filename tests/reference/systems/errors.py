"""Why a case was not run."""

from __future__ import annotations


class NoSuchSystem(Exception):
    """vadkit has not got this system (yet): counted, and not a failure."""


class NotSupported(Exception):
    """vadkit has the system, but no code runs this kind of case: a failure."""
