"""What DAG files share: commands as operators, defaults, alerts. The only code besides `dags/` that imports Airflow."""
