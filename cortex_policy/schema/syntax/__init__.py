"""Find each syntax problem of a JSON text."""
