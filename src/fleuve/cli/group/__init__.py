"""`fleuve group`: the consumer groups of a cluster, how far behind they are, and where they go on."""
