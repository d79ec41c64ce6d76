"""Text that people write and read: words to find by, timed text, names of languages. Knows no database."""
