"""Answers over HTTP: what every pipeline has, and what its own router adds."""
