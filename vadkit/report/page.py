"""One HTML file that needs no server and no network: style, script and figures are inside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence

from vadkit.report.markup import Html, escape
from vadkit.report.style import STYLE


def _hash(source: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() + "'"


def _policy(script: str) -> str:
    """Return a policy that loads nothing from a network and runs nothing but ``script``."""
    # A page opened as a file has no origin, so 'self' alone would not let it show the video beside it.
    return (
        f"default-src 'none'; script-src {_hash(script) if script else chr(39) + 'none' + chr(39)}; "
        "style-src 'unsafe-inline'; img-src 'self' file: data:; media-src 'self' file: data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def page(
    title: str,
    body: str | Iterable[str],
    *,
    subtitle: str = "",
    footer: str = "",
    style: str = "",
    script: str = "",
    language: str = "en",
) -> str:
    """Return a whole page as HTML.

    Args:
        title: plain text, shown as heading and as the name of the tab.
        body: markup, in one piece or several; escape text with ``escape`` before it comes here.
        subtitle: plain text or ``Html`` under the heading.
        footer: plain text or ``Html`` at the end.
        style: more CSS, after the common sheet.
        script: plain JavaScript that runs when the page is read; only this text may run.
    """
    content = body if isinstance(body, str) else "\n".join(body)
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head>\n<body><header>"
        f"<h1>{escape(title)}</h1>{_paragraph(subtitle)}</header>\n<main>\n{content}\n</main>\n"
        f"{_footer(footer)}{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )


def _paragraph(text: str) -> Html:
    return Html(f'<p class="soft">{escape(text)}</p>' if text else "")


def _footer(text: str) -> Html:
    return Html(f"<footer>{escape(text)}</footer>\n" if text else "")


def section(heading: str, *parts: str) -> Html:
    """Return a heading with what follows it. Parts that are not ``Html`` become paragraphs."""
    inner = [part if isinstance(part, Html) else f"<p>{escape(part)}</p>" for part in parts]
    return Html(f"<section><h2>{escape(heading)}</h2>\n" + "\n".join(inner) + "</section>")


def warning_box(warnings: Sequence[str], heading: str = "Please note") -> Html:
    """Return the warnings as a marked list, or nothing if there are none."""
    if not warnings:
        return Html("")
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return Html(f'<div class="warnings" role="note"><strong>{escape(heading)}</strong><ul>{items}</ul></div>')
