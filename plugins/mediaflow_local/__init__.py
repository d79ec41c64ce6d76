"""Objects as files of this host."""
