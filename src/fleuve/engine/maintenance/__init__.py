"""Merge, retention and garbage: pure planners and one runner."""
