"""The old home of the sinks."""
