"""Clicks in a shop → what is trending, and what to recommend to each visitor."""
