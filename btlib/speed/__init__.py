"""What makes a figure of speed worth something: a tuned process, the machine it holds for, and what that could do."""
