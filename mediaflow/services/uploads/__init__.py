"""The way in: files announced, received in chunks, assembled, and kept as originals."""
