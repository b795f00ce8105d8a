"""The form of a grant document, and rules for doubtful ones: pure functions."""
