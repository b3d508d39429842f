"""Everything on disk: run folders, their lock, and who reads them while they grow."""
