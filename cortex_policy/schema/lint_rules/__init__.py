"""Rules that look at one valid grant."""
