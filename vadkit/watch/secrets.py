"""No message shows the login of a camera, wherever the words of the message come from."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from vadkit.credentials import HIDDEN, masked, revealed_url

SHORTEST = 3  # characters; a shorter word is in many places that are no secret


def revealed_address(text: str) -> tuple[str, tuple[str, ...]]:
    """Return an address with the secrets that it names, and its user name and password.

    Raises VadkitError for a secret without a value.
    """
    address = revealed_url(text, masked(text))
    try:
        parts = urlsplit(address)
        return address, tuple(unquote(part) for part in (parts.password, parts.username) if part)
    except ValueError:
        return address, ()


def hide(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return a text without the secrets, and without the login of any address in it."""
    for secret in sorted({*secrets, *(quote(s, safe="") for s in secrets)}, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return masked(text)
