"""The classes of the published data sets."""

from __future__ import annotations

# In the order of the rows of PEL4VAD's class vectors; the first is the normal class.
CLASSES: dict[str, tuple[str, ...]] = {
    "xd_violence": ("A", "B5", "B6", "G", "B1", "B4", "B2"),
    "ucf_crime": (
        "Normal",
        "Abuse",
        "Arrest",
        "Arson",
        "Assault",
        "Burglary",
        "Explosion",
        "Fighting",
        "RoadAccidents",
        "Robbery",
        "Shooting",
        "Shoplifting",
        "Stealing",
        "Vandalism",
    ),
    "shanghaitech": (
        "normal",
        "cycling",
        "chasing",
        "handcart",
        "fighting",
        "skateboarding",
        "vehicle",
        "running",
        "jumping",
        "wandering",
        "lifting",
        "robbery",
        "climbing_over",
        "throwing",
    ),
}
# The letters of XD-Violence's file names in words.
XD_WORDS = {
    "A": "normal",
    "B1": "fighting",
    "B2": "shooting",
    "B4": "riot",
    "B5": "abuse",
    "B6": "car accident",
    "G": "explosion",
}
