"""Sources of samples that btlib brings along, one folder each."""
