"""Where originals lie: in the storage, or where they were found and linked."""
