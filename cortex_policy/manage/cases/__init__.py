"""Test grants against case files."""
