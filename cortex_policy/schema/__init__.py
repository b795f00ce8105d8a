"""What a grant document must look like, and what is doubtful about one that does: pure, and explained."""
