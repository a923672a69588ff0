"""What `fleuve consume` does: find where to begin and to end, read, choose, and print."""
