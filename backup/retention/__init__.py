"""What is kept of a repository and what may go: a decision that is pure, and the pruning that follows it."""
