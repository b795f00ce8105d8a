"""Budgets that many hosts share, counted on a Redis or Valkey server (docs/shared-budgets.md).

A check that counts there loads this package, and so nothing here imports redis-py unless the address needs it.
"""
