"""Comparing and tuning models: trials, report, plot, tuner."""
