"""What uploads and media must be."""
