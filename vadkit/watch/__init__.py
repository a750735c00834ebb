"""Score cameras and recordings while they run: sources, snippets, scores, events, their delivery and a page."""
