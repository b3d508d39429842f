"""Rows to problems to prompts: the hub, the user's own copy, or the package."""
