"""Why do two sets of features differ? The two are called A and B everywhere.

``sides`` opens a store, a folder or a file and pairs what belongs together; ``axes``, ``timing`` and ``value_maps``
each bring B onto A in one respect; ``evidence`` gathers what they find for a stream; ``causes`` names what it proves,
what it leaves open, and the recipes' fields to blame; ``compare`` does all of it.

Given a video, ``trial`` extracts A's features again with one thing changed at a time (``hypotheses``), by ``replay`` on
the real extraction pass, and finds the change that gives B. Only this can distinguish normalisation from colour order,
for example.
"""
