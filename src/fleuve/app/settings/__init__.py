"""Settings that no room reads: those of `app` itself, and all that are accepted without effect or refused."""
