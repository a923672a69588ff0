"""The local store: journal files, segment files, and the data directory that they lie in."""
