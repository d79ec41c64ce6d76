"""Whether documents and storage tell the truth about one another (`mediaflow fsck`), what neither needs (`gc`), and
documents of older versions (`migrate`).
"""
