"""Plays the attacks on an audit log against a scratch copy, and says what stops or finds each of them."""
