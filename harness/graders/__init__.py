"""Graders decide a sample; one file per kind of answer."""
