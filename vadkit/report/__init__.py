"""Pages that need no server and no network: templates, and charts drawn as inline SVG.

``render(template, ...)`` returns a whole HTML file; ``line_chart``, ``bar_chart``, ``forest_chart``, ``scatter``,
``heat_table``, ``wave_chart``, ``time_lines`` and ``spark_chart`` return markup that templates show as it is.

Example:
    >>> from vadkit.report import Bar, bar_chart
    >>> bars = [Bar("RGB", 0.55, spread=0.02), Bar("RGB + sound", 0.73)]
    >>> bar_chart(bars, x_label="AP").startswith("<figure")
    True
"""

from vadkit.report.bar_chart import Bar, bar_chart
from vadkit.report.file_url import file_url
from vadkit.report.forest_chart import Difference, forest_chart
from vadkit.report.heat_table import heat_table
from vadkit.report.line_chart import Line, line_chart
from vadkit.report.page import render
from vadkit.report.scatter import Point, scatter
from vadkit.report.spark_chart import spark_chart
from vadkit.report.time_lines import Stretch, TimeLine, time_lines
from vadkit.report.wave_chart import wave_chart

__all__ = [
    "Bar",
    "Difference",
    "Line",
    "Point",
    "Stretch",
    "TimeLine",
    "bar_chart",
    "file_url",
    "forest_chart",
    "heat_table",
    "line_chart",
    "render",
    "scatter",
    "spark_chart",
    "time_lines",
    "wave_chart",
]
