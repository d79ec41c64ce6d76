"""The library: what there is, what can be changed about it, and how it goes."""
