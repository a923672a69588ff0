"""What the three examples have in common around their streams: options, the world's clock, snapshots, the screen."""
