"""Running unattended: what a service manager is told, who watches, who is told of a death."""
