"""Check a data set end to end: is what the files say what the annotation, the other files and the field say?

finding     one thing that is wrong: video, file, what, and what to do
counted     videos, labels, splits and intervals against the annotation; class balance
looked      one look at every file: shape, rows, fingerprint
files       missing and left-over files, crops, lengths
content     NaN, constant rows, duplicates
truth       a flat vector of labels as published code reads it, against intervals
lists       list files and files of intervals
run         all of it
"""
