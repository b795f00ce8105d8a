"""Print results: tables, reports, live screens."""
