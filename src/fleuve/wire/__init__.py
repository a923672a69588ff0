"""Kafka's bytes, sans I/O: frames, headers, error codes, and one codec module per API.

Nothing here knows a socket, a clock or the domain. What comes in is foreign: every function that reads bytes
either returns a message or raises `DecodeError`.
"""
