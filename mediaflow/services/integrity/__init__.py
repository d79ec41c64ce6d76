"""Whether documents and storage tell the truth about one another (`mediaflow fsck`), and what neither needs."""
