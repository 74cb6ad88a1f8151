"""Where tables are kept, one system a file."""
