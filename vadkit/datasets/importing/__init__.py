"""From existing feature files to a store that reads them in place.

scan            every feature file below a folder
file_names      video, crop and stream by the name of a file; streams: by its folders
list_files      list files of published code, with paths of other machines
features        which file is which crop of which stream of which video
shapes          headers, and which axis holds the crops
plan            widths, axes, segments, gaps
published_sets  the three published data sets; own_videos, table: your own videos
clicks          a click for each event of a training video
index           write store.json and videos.json, or add to them

Nothing is copied or converted.
"""
