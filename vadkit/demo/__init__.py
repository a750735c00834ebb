"""A small surveillance data set that is rendered locally, and a study of the paper's systems on it.

``script`` lists what happens in each clip, ``scenery``, ``people``, ``sights`` and ``noises`` provide pictures and
sound, ``render`` writes mp4 files, ``study`` extracts, trains and scores, ``study_table`` and ``study_page`` report.
"""
