"""Figshare article 1512427: 3064 MRI slices of brain tumours, one MATLAB file each, and their patients."""
