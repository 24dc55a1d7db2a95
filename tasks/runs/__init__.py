"""A run: its configuration and plan, the media it found, the files prepared for it, its checks."""
