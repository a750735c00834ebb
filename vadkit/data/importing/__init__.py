"""From features as people have them on their disks to a store that reads them in place."""
