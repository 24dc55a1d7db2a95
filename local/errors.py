"""Errors of the stack."""

from __future__ import annotations


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message is one sentence, with the last lines of a log if they help."""
