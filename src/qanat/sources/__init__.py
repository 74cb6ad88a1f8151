"""Where data comes from, one system a file."""
