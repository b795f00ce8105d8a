"""Compare grants and settings between files and revisions."""
