"""The thesis as the first plug-in: its variants, their training and checkpoints, its recipes, its speed reference."""
