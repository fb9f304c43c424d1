"""Exports: samples and their split as folders that nnU-Net and MONAI train on."""
