"""Placeholder for settings of this repository; pytest loads the plugin by its entry point."""
