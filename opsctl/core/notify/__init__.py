"""Being heard: messages to people, pings to a dead man's switch, and signs of life for what watches from outside."""
