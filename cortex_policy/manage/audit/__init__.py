"""Read, follow and verify audit logs."""
