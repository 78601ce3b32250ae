"""Installing, on a Debian that has nothing of ours."""
