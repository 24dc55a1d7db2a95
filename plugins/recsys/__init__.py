"""What DAG files share: command lines as operators, defaults, alerts. The only code besides `dags/` that imports Airflow."""
