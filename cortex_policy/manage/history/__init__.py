"""Show and undo past writes."""
