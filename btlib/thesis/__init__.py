"""The thesis as a plug-in: variants A–G, their training, checkpoints and recipes, and the speed reference."""
