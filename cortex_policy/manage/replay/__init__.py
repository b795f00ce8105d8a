"""Decide recorded calls again with other grants."""
