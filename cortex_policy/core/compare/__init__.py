"""Compare two grants: what the second allows more, and what less."""
