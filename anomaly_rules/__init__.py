"""Rules that watch for what silently breaks."""
