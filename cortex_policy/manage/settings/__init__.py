"""Read and write settings files."""
