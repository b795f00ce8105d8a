"""What programs import: a store of grants, functions, a decorator, sinks."""
