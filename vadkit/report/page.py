"""Whole pages from the templates in ``vadkit/templates/pages``.

A page is one HTML file that needs no server and no network: style, script and charts are inside it. Whatever a
template shows is escaped, except what a chart has returned as ``Markup``.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vadkit import __version__
from vadkit.problems import plural
from vadkit.report.axis_ticks import moment
from vadkit.report.file_url import file_url


def render(template: str, **values: Any) -> str:
    """Return the page that a template gives for ``values``. Every page needs a ``title`` and a ``subtitle``.

    A ``notice`` is a sentence that readers must not miss, such as that the figures mean nothing: it is shown first.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("vadkit", "templates/pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"file_url": file_url, "moment": moment, "plural": plural, "sha256": _sha256}
    environment.globals |= {"asset": _asset, "version": __version__}
    return environment


def _asset(name: str) -> Markup:
    """Return a style sheet or script of ours as it is."""
    environment = _environment()
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _sha256(source: str) -> str:
    """Return the hash by which a content security policy allows a script."""
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
