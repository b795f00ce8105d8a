"""What an answer is made of: pure, without files, clock, environment or output."""
