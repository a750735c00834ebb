"""Check a store against itself, the annotation of its data set, and published label files.

against_annotation   videos, labels, splits and intervals; class balance
files                unlisted files, crops, lengths
content              duplicates
label_vector         a flat vector of labels, as published code reads it, against intervals
list_files           list files and files of intervals
run                  all of these, and ``vadkit.store.check``
"""
