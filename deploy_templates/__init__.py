"""The files of a stack, as templates laid out as they lie on the host."""
