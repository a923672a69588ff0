"""Ports implemented: each package is one technology. Siblings of the engine, joined to it by `ports`."""
