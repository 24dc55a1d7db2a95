"""The stack without Docker: PostgreSQL, S3, mail and Airflow as processes on loopback, and the demo on top of them.

Runs in the tasks environment. Nothing in `tasks/`, `dags/` or `plugins/` imports it.
"""
