"""The published data sets: their videos, labels and intervals, the layouts of their features, faults to look for."""
