"""A resident process that answers hooks over a socket, for those who count milliseconds (docs/hook-install.md)."""
