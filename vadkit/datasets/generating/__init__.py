"""Stand-ins of published feature sets: real names, labels and intervals, the published layout, made-up numbers.

For trying, timing or auditing something at full size without real features. No figure measured on them says how
good a system is.

``layouts`` holds the paths of a data set's files, ``lengths`` how many snippets each has, ``features`` generates the
numbers, ``stand_in`` writes the folder.
"""
