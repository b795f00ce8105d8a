"""Write grants, stamp and history together."""
