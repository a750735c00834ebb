"""From video files to rows of a store: decode once, cut into snippets, feed every backbone.

``media`` reads a file, ``frame_clock`` puts frames on a clock, ``sound`` puts samples on the same clock, ``snippets``
cuts them; ``one_pass`` feeds the backbones of one video; ``run`` does it for many and writes what training reads.
"""
