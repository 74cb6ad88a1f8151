"""Logs: ordered topics between stages. A module is named after the system that it speaks to."""
