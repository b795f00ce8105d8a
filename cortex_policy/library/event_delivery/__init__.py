"""Delivery of audit events over HTTP: from files that wait on the disk, in their order, each at least once."""
