"""Idempotent producers: ids, epochs, sequences."""
