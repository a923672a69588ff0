"""The log: append, flush, tail cache, fetch, look-ups, recovery."""
