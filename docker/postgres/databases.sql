-- The two databases, each with its own role that cannot connect to the other; one role that reads schema rec of metrics
-- and nothing else, and one that may also write the messages of alerts there. Runs at every start, so that passwords follow .env and what earlier versions granted is
-- taken back; existing roles, databases and data stay.
\set ON_ERROR_STOP on
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv metrics_password METRICS_DB_PASSWORD
\getenv reader_password METRICS_READER_PASSWORD
\getenv alerts_password METRICS_ALERTS_PASSWORD
SET client_min_messages = warning;

SELECT format('CREATE ROLE %I', wanted) FROM unnest(ARRAY['airflow', 'metrics', 'metrics_reader', 'metrics_alerts']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec
ALTER ROLE airflow LOGIN PASSWORD :'airflow_password';
ALTER ROLE metrics LOGIN PASSWORD :'metrics_password';
ALTER ROLE metrics_reader LOGIN PASSWORD :'reader_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 20;
ALTER ROLE metrics_alerts LOGIN PASSWORD :'alerts_password'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 50;
SELECT format('REVOKE %I FROM %I', roleid::regrole, member::regrole) FROM pg_auth_members
WHERE member IN ('metrics_reader'::regrole, 'metrics_alerts'::regrole) \gexec
-- A session may change these for itself, except the limit of its temporary files.
ALTER ROLE metrics_reader SET default_transaction_read_only = on;
ALTER ROLE metrics_reader SET statement_timeout = '60s';
ALTER ROLE metrics_reader SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE metrics_reader SET temp_file_limit = '1GB';

SELECT format('CREATE DATABASE %I OWNER %I', wanted, wanted) FROM unnest(ARRAY['airflow', 'metrics']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = wanted) \gexec
-- Also on the templates, and on those that a restore has put aside.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC, metrics_reader, metrics_alerts', datname) FROM pg_database \gexec
GRANT CONNECT ON DATABASE metrics TO metrics_reader, metrics_alerts;

\connect metrics
SET client_min_messages = warning;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- Large objects are the one thing that whoever is connected may write.
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) TO metrics;
GRANT USAGE, CREATE ON SCHEMA public TO metrics; -- for the list of applied migrations
CREATE SCHEMA IF NOT EXISTS rec AUTHORIZATION metrics; -- before its tables, so that these get the rights when they are made
GRANT USAGE ON SCHEMA rec TO metrics_reader, metrics_alerts;
GRANT SELECT ON ALL TABLES IN SCHEMA rec TO metrics_reader, metrics_alerts;
ALTER DEFAULT PRIVILEGES FOR ROLE metrics IN SCHEMA rec GRANT SELECT ON TABLES TO metrics_reader, metrics_alerts;
-- Of tables that are there already; the migration that makes them does the same.
SELECT format('GRANT INSERT, UPDATE ON rec.%I TO metrics_alerts', tablename) FROM pg_tables
WHERE schemaname = 'rec' AND tablename IN ('message', 'delivery') \gexec
