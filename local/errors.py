"""What can go wrong with the stack."""

from __future__ import annotations


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message is one sentence, with a log's last lines where one helps."""
