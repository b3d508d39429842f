"""The HTML page and the static site."""
