"""Alerting: the callbacks of DAGs, the letter, the evidence that it quotes, and how it is sent."""
