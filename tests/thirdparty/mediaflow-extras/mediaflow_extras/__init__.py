"""A limit of length, the sound as a download, and lists of files."""
