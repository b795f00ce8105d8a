"""Find what can be wrong on this machine: one module for each subject, and what they share."""
