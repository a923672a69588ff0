"""`fleuve topic`: the topics of a cluster, made, looked at, changed and deleted."""
