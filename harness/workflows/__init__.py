"""Workflows: what each command does, without its options and its output."""
