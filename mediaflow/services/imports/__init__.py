"""Files that we fetch ourselves, from addresses that somebody named."""
