"""Edit grants."""
