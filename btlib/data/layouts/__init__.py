"""Importers: each reads one layout of files in the field, and writes a folder with `metadata.csv` and `task.toml`."""
