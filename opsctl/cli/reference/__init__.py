"""What is written from the command tree: docs/cli.md, the man page, completions. `script/docs` writes all of it."""
