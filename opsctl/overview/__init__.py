"""The commands that look at everything at once: init, doctor, status, demo."""
