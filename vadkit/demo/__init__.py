"""A small surveillance data set that is rendered on the spot, and the study that is made on it.

``script`` says what happens in each clip, ``scenery``, ``figures``, ``sights`` and ``noises`` draw and
sound it, ``render`` writes mp4 files, ``study`` extracts, trains and scores, ``table`` and ``page`` tell.
"""
