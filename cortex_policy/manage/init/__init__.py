"""Create a policy root."""
