"""Figshare article 1512427: 3064 MRI slices of brain tumours, a MATLAB file each; and whose slices they are."""
