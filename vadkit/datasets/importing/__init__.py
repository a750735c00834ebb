"""From features as people have them on their disks to a store that reads them in place.

scan        every feature file below a folder
names       video, crop and stream by the name of a file; streams: by its folders
lists       list files of published code, with foreign paths
features    which file is which crop of which stream of which video
shapes      headers, and which axis holds the crops
plan        widths, axes, segments, gaps; known: of the three published data sets; own, table: of your own videos
index       write store.json and videos.json, or add to them

Nothing is copied or converted.
"""
