"""Member interactions → spam detection, with counts per kind."""
