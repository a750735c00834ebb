"""Stand-ins of published feature sets: real names, labels and intervals, the published layout, made-up numbers.

For whom wants to try, time or audit something at true size and has no features yet. Nothing that is measured on
them says how good a system is.

``layouts`` knows where the files of a data set lie, ``lengths`` how many snippets each has, ``features`` makes the
numbers, ``stand_in`` writes the folder.
"""
