"""Replicas and graders as actors on a Ray cluster."""
