"""Is a store as it says? ``verify`` checks its files, without knowledge of data sets (``vadkit.datasets.auditing``).

``finding`` is what can be wrong; ``indexes`` compares store.json, videos.json and the manifest; ``array_scan`` reads
every array file once; ``packs`` compares packed streams with their files.
"""
