"""Texts that several reports share."""

PHANTOM_NOTE = "PHANTOM DATA: synthetic samples; these numbers say nothing about patients."
