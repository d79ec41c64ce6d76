"""AV1 beside H.264."""
