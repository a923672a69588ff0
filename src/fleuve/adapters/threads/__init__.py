"""Adapters that use threads."""
