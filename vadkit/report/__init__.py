"""Pages that need no server and no network: text, tables and charts drawn as inline SVG.

``page(title, body)`` returns a whole HTML file; ``line_chart``, ``bar_chart``, ``scatter`` and
``table`` return pieces for its body; ``write_text_atomic`` puts it on the disk.

Example:
    >>> from vadkit.report import Bar, bar_chart, page
    >>> chart = bar_chart([Bar("RGB", 0.55, spread=0.02), Bar("RGB + sound", 0.73)], x_label="AP")
    >>> page("Two systems", chart).startswith("<!DOCTYPE html>")
    True
"""

from vadkit.files import replacing, write_text_atomic
from vadkit.report.bar_chart import Bar, bar_chart
from vadkit.report.line_chart import Line, line_chart
from vadkit.report.markup import Html, escape, link, script_json
from vadkit.report.page import page, section, warning_box
from vadkit.report.scatter import Point, scatter
from vadkit.report.tables import table
from vadkit.report.wave_chart import wave_chart

__all__ = [
    "Bar",
    "Html",
    "Line",
    "Point",
    "bar_chart",
    "escape",
    "line_chart",
    "link",
    "page",
    "replacing",
    "scatter",
    "script_json",
    "section",
    "table",
    "warning_box",
    "wave_chart",
    "write_text_atomic",
]
