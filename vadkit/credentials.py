"""Secrets come from the environment or a file, and no message shows one.

A text of the user names a secret in braces: ``{NAME}`` is the value of an environment variable, ``{file:PATH}`` the
content of a file without white space at its ends. Only the text is ever shown, never what it stands for.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from vadkit.files import read_text, unreadable
from vadkit.problems import fail

SECRET = re.compile(r"\{(?:([A-Za-z_]\w*)|file:([^{}\s]+))\}")
HIDDEN = "***"
# user:password@ of an address, and the values of parameters that are secrets by their names.
USER = re.compile(r"(?<=://)[^/?#\s]*@")
PARAMETER = re.compile(r"(?i)([?&][\w.-]*(?:password|passwd|token|secret|key|auth|sig)[\w.-]*=)[^&#\s]+")


def revealed(text: str, what: str) -> str:
    """Return a text with the secrets that it names.

    Args:
        what: the argument that holds the text, for messages.

    Raises VadkitError if a variable is not set or empty, or a file cannot be read.
    """
    return SECRET.sub(lambda found: _value(found, what), text)


def revealed_url(text: str, what: str) -> str:
    """Return an address with the secrets that it names, quoted, unless a secret is the whole address."""
    if SECRET.fullmatch(text):
        return revealed(text, what)
    return SECRET.sub(lambda found: quote(_value(found, what), safe=""), text)


def secret(text: str, what: str) -> str:
    """Return the secret that a text names, which is nothing else. Raises VadkitError if it names none."""
    if not SECRET.fullmatch(text):
        fail(f"{what} must name a secret, not be one", "write {NAME} for an environment variable, or {file:PATH}")
    return revealed(text, what)


def masked(text: str) -> str:
    """Return a text in which no address shows its user, its password or a parameter that is a secret by its name."""
    return PARAMETER.sub(rf"\1{HIDDEN}", USER.sub(f"{HIDDEN}@", text))


def _value(found: re.Match[str], what: str) -> str:
    name, path = found.groups()
    value = os.environ.get(name, "") if name else _content(Path(path), what)
    if not value:
        fail(f"{what}: {f'the environment variable {name} is not set' if name else f'{path} is empty'}")
    return value


def _content(path: Path, what: str) -> str:
    try:
        return read_text(path).strip()
    except UnicodeError:
        fail(f"{what}: {path} is not text")
    except OSError as error:
        fail(f"{what}: {path} cannot be read: {unreadable(error)}")
