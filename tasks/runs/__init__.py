"""A run: its configuration and plan, its inventory of media, its prepared files, its checks."""
