"""Synthetic samples: files in the Figshare layout, or samples of any task that are drawn when they are read."""
