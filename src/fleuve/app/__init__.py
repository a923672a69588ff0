"""Where the parts are joined: settings and their sources, the composition root, lifecycle, logging, telemetry."""
