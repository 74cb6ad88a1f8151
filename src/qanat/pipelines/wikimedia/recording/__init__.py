"""A recorded stream, for the demo. See the note in scripts/record_wikimedia.py."""
