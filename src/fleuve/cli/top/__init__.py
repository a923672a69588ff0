"""`fleuve top`: what goes on in a cluster, live."""
