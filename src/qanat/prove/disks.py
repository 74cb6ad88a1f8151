"""Faults that a run reports itself: a full disk, and a failure that may be tried again, at every point; and a disk that really is full."""
