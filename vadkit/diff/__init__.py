"""Why do two sets of features differ? The two are called A and B everywhere.

``sides`` opens a store, a folder or a file; ``pairs`` finds what belongs together; ``layout``, ``timing``,
``cropping`` and ``values`` each bring B onto A in one respect; ``evidence`` gathers what they found for a stream;
``causes`` names the facts, ``open_questions`` what they leave open, ``recipes`` the field to blame; ``compare`` does
all of it.

Where the video is at hand, ``trial`` makes A's features anew with one thing changed at a time (``hypotheses``, in
terms of ``making``, from a ``film``) and tells which change gives B. Normalisation and colour order, for example,
can only be told apart so.
"""
