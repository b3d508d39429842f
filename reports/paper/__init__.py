"""A paper's own tables with runs in them, and a verdict per cell."""
