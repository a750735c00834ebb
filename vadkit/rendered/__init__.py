"""A larger rendered data set than the demo's: untrimmed recordings of several scenes, each seen by several cameras.

``plan`` lists what happens in each recording, ``places`` has the empty scenes and the light in them, ``weather`` what
falls, ``cast`` and ``traffic`` who moves, ``incidents`` the anomalies, ``distractors`` what resembles them,
``acoustics`` the sound, ``stage`` a recording that can be drawn. ``generate`` writes the folder, ``tables`` its
labels, ``gallery`` its page. People, fires and sounds are those of ``vadkit.demo``.
"""
