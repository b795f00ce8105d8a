"""Doors for other programs, each optional, each importing its library inside."""
