"""Colours and the style sheet of every page.

The six colours keep at least 3:1 contrast with the background and a CIELAB distance of 11.5 from one
another also for a reader without red, green or blue cones (Machado et al. 2009); lines differ in
their dashes as well, so nothing is told by colour alone.
"""

from __future__ import annotations

LIGHT = ("#0067a8", "#c44e00", "#00805a", "#9b2fc9", "#7a1f1f", "#868686")
DARK = ("#5cb8f2", "#ff9150", "#2fd0a0", "#b565ff", "#fff3c4", "#8f959e")
PAPER = {"light": "#ffffff", "dark": "#14171c"}
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 4")


def _colours(colours: tuple[str, ...]) -> str:
    return "".join(f"--s{i}:{colour};" for i, colour in enumerate(colours))


_LIGHT = (
    f"color-scheme:light;--paper:{PAPER['light']};--ink:#16191d;--soft:#555c66;--line:#d5d9df;--panel:#f4f6f8;"
    "--alarm:#c9184a;--alarm-area:rgba(201,24,74,.13);--warn:#fff4d6;--warn-line:#b07d00;" + _colours(LIGHT)
)
_DARK = (
    f"color-scheme:dark;--paper:{PAPER['dark']};--ink:#e8eaed;--soft:#a9b0ba;--line:#363c45;--panel:#1d2127;"
    "--alarm:#ff7096;--alarm-area:rgba(255,112,150,.2);--warn:#3a2f10;--warn-line:#e0b040;" + _colours(DARK)
)

STYLE = (
    f":root{{{_LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
overflow-wrap:anywhere}
main,body>header,body>footer{max-width:62rem;margin:0 auto;padding:0 1rem}
h1{font-size:1.5rem;line-height:1.25;margin:1.2rem 0 .2rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.soft,body>footer{color:var(--soft)}body>footer{font-size:.85rem;margin-top:2.5rem;padding-bottom:2rem}
a{color:var(--s0)}:focus-visible{outline:3px solid var(--s0);outline-offset:2px}
figure{margin:1rem 0}figcaption{font-weight:600;margin-bottom:.25rem}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;margin:0;padding:0;font-size:.85rem}
.legend svg{vertical-align:middle;margin-right:.4rem}
.keys{font-size:.85rem;margin:.3rem 0;padding-left:2rem}
.plot{padding:26px 20px 42px 52px}.plot>svg{display:block;overflow:visible}
.plot text{font-size:12px;fill:var(--soft)}.plot text.value{fill:var(--ink)}
.plot text.name{fill:var(--ink)}.plot text.group{fill:var(--ink);font-weight:600}
.grid{stroke:var(--line);stroke-width:1}.edge{stroke:var(--soft);stroke-width:1}
.curve{fill:none;stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.whisker{stroke:var(--ink);stroke-width:1.5}.level{stroke:var(--alarm);stroke-width:1.5;stroke-dasharray:6 4}
.plot text.level-name{fill:var(--alarm);stroke:none}.span{fill:var(--alarm-area)}.wave{fill:var(--soft)}
.dot{stroke:var(--paper);stroke-width:1.5}.plot text.number{fill:var(--paper);font-size:10px;font-weight:700}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding-bottom:.3rem}
th,td{padding:.35rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
overflow-wrap:break-word;max-width:30rem}th{white-space:nowrap}
thead th{border-bottom:2px solid var(--soft)}.n{text-align:right;white-space:nowrap}
tbody tr:hover{background:var(--panel)}
.warnings{background:var(--warn);border-left:4px solid var(--warn-line);padding:.5rem .9rem;margin:1rem 0}
.warnings ul{margin:.2rem 0;padding-left:1.2rem}
@media (max-width:520px){
.plot{padding-right:14px}.odd{display:none}th,td{padding:.3rem .45rem}h1{font-size:1.25rem}}
"""
)
