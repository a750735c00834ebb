"""Corrupted copies of videos: pictures and sound are damaged in the media, before features are extracted."""
