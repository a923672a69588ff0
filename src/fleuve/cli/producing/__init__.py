"""What `fleuve produce` does: read records, send them, account for each."""
