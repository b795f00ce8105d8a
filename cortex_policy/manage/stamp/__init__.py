"""Verify the stamp of a root, wait for a version of it, write it and merge it."""
