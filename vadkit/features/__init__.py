"""From video files to features: decode once, cut into snippets, feed every backbone, write a store.

``media`` reads a file, ``ticks`` lays frames on a clock, ``sound`` lays samples on the same clock,
``extract`` feeds the backbones of one video, ``store`` does it for many and writes what training reads.
"""
