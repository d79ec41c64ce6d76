"""Reading media: what a file is, what is in it, what of it decodes."""
