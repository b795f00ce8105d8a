"""What programs import: a store of grants, the decorator, sinks."""
