"""Launching a task: one function turns a command line of the task package into an operator. Knows nothing of alerts."""
