"""Whole brokers under virtual time, on a network and storage that fail on purpose, with a model that knows better."""
