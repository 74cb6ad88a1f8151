"""What moves data: the loop, the commit, files and their parts, and what is due."""
