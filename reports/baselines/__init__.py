"""Published scores with their sources, and what a run may be held against."""
