"""What operators do: returns values, never prints."""
