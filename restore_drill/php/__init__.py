"""PHP programs that the checks run in the sandbox. They are data here; PHP on the drill host runs them."""
