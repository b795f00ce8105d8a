"""`serve`: a decision point for every language, AuthZEN over HTTP; everything here needs the extra `serve`."""
