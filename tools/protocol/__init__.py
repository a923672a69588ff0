"""The generator of `fleuve.wire.generated`: reads the protocol's schema from kio, writes codecs.

A development tool. Nothing of it, nor of kio, is installed or imported with the broker.
"""
