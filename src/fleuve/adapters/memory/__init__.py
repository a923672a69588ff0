"""Everything in memory: the ports as plainly as they can be written; fakes for tests that pass the same contracts."""
