"""Record batches (Kafka's message format 2): checked, walked, patched, built, decoded.

Pure functions over buffers.
"""
