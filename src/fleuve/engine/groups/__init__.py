"""Consumer groups: one pure machine for the classic protocol, committed offsets, and the coordinator that runs them."""
