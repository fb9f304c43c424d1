"""Basis of speed measurements: process tuning, facts about the machine, and its peak performance."""
