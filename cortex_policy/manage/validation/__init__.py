"""Validate grants, case files and settings."""
