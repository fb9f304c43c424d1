"""Audit of a data set before anything is trained on it: faulty files, duplicates, masks, classes and shortcuts.

Each check is a file of this folder and is registered in `btlib.data.audit.checks.CHECKS`, to which other packages add
checks with an entry point in the group `btlib.audit`.
"""
