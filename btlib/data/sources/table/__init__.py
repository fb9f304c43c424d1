"""Folders with a `metadata.csv`: images of common file types, described by a table that people can read and edit."""
