"""SQLite: the embedded catalog, one file, one writer thread."""
