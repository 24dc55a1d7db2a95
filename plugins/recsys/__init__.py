"""Shared code of DAG files: commands as operators, defaults, alerts. Apart from `dags/`, only this imports Airflow."""
