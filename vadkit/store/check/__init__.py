"""Is a store what it says? ``verify`` looks at everything, ``summary`` tells what is in it.

``findings`` is what can be wrong; ``indexes`` holds store.json, videos.json and the manifest up to each other;
``arrays`` looks at one array file, ``packs`` at the packed cache.
"""
