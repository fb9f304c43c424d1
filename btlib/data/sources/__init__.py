"""Built-in sources of samples, one folder each."""
