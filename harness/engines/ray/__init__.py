"""Replicas as actors on a Ray cluster, and the connection to it."""
