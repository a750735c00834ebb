"""Score live cameras and raise events."""
