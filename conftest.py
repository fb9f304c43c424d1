"""What belongs to this repository alone; the plugin itself comes by its entry point."""
