"""Releases: the gate, the writer of a release, and the server that answers from one."""
