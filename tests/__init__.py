"""Tests of opsctl."""
