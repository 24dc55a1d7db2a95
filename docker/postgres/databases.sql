-- The two databases, each with its own role that cannot connect to the other, and one role that may only read metrics.
-- Runs at every start, so that passwords follow .env; existing roles, databases and data stay.
\set ON_ERROR_STOP on
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv metrics_password METRICS_DB_PASSWORD
\getenv reader_password METRICS_READER_PASSWORD

SELECT format('CREATE ROLE %I', wanted) FROM unnest(ARRAY['airflow', 'metrics', 'metrics_reader']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec
ALTER ROLE airflow LOGIN PASSWORD :'airflow_password';
ALTER ROLE metrics LOGIN PASSWORD :'metrics_password';
ALTER ROLE metrics_reader LOGIN PASSWORD :'reader_password';
GRANT pg_read_all_data TO metrics_reader;

SELECT format('CREATE DATABASE %I OWNER %I', wanted, wanted) FROM unnest(ARRAY['airflow', 'metrics']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = wanted) \gexec
REVOKE CONNECT, TEMPORARY ON DATABASE airflow, metrics, postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE metrics TO metrics_reader;
