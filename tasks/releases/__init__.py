"""What is published and served: the gate, the writer of a release, and the server that answers from one."""
