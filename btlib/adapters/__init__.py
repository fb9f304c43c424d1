"""Frameworks behind the predictor protocol, one module each; import the one you need."""
