"""Colours of figures and pages, each readable on white."""

INK, MUTED, LINE = "#1c2127", "#5a636e", "#dfe3e7"
ACCENT, SECOND = "#1f5fa8", "#a85400"
GOOD, WARN, BAD = "#18764a", "#8a6100", "#b8302a"
