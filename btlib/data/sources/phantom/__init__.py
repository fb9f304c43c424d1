"""Synthetic samples: as files in the Figshare layout, or of any task, drawn when they are read."""
