"""What lies on disk: small and boring, one mechanism a file."""
