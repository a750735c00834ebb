"""The kinds of file, by name."""

from __future__ import annotations

from .arrays import Arrays
from .beginnings import Beginnings
from .cameras import Cameras
from .event_logs import EventLogs
from .graphs import Graphs
from .harness import Target
from .manifests import Manifests
from .models import Models
from .scores import Scores
from .specs import Specs
from .stores import Stores
from .systems import Systems
from .tables import Tables

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Graphs(),
        Stores(),
        Models(),
        Arrays(),
        Tables(),
        Manifests(),
        Systems(),
        Beginnings(),
        Scores(),
        Specs(),
        Cameras(),
        EventLogs(),
    )
}
