-- What people are to be told: written with what it is about, sent and tried again by Airflow.
-- depends: 0008_profile

CREATE TABLE rec.message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN (
        'failed', 'rejected', 'overdue', 'unparsed', 'silent', 'recovered', 'old', 'waiting'
    )),
    scope text NOT NULL,
    topic text NOT NULL,
    dataset text,
    dag text,
    run text,
    facts jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    folded_into bigint REFERENCES rec.message ON DELETE CASCADE,
    settled_at timestamptz
);
COMMENT ON TABLE rec.message IS 'one row per thing that people are to be told; each channel sends it once';
COMMENT ON COLUMN rec.message.key IS 'of what happened: whoever tells it again adds nothing';
COMMENT ON COLUMN rec.message.scope IS 'what is bad, and then good again: a DAG with its dataset, a file, a component';
COMMENT ON COLUMN rec.message.topic IS 'what is wrong with it; a repeat within 20 hours is folded into the first';
COMMENT ON COLUMN rec.message.facts IS 'what the message says; empty: found in these tables when it is sent';
COMMENT ON COLUMN rec.message.due_at IS 'not sent before, so that Airflow can add what it knows';
COMMENT ON COLUMN rec.message.folded_into IS 'the message of which this is a repeat; it is not sent itself';
COMMENT ON COLUMN rec.message.settled_at IS 'when what was bad was seen to be good again; null: still bad, or was never bad';
CREATE INDEX message_open ON rec.message (scope, topic) WHERE settled_at IS NULL;
CREATE INDEX message_by_time ON rec.message (created_at);

CREATE TABLE rec.delivery (
    message bigint NOT NULL REFERENCES rec.message ON DELETE CASCADE,
    channel text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    error text,
    PRIMARY KEY (message, channel)
);
COMMENT ON TABLE rec.delivery IS 'one row per message and channel (email, slack, apprise): tried again until it is sent';
CREATE INDEX delivery_open ON rec.delivery (next_at) WHERE sent_at IS NULL;

CREATE FUNCTION rec.tell(
    new_key text, new_kind text, new_scope text, new_topic text, its_dataset text, its_dag text, its_run text,
    new_facts jsonb, delay interval
) RETURNS bigint LANGUAGE sql AS '
    INSERT INTO rec.message (key, kind, scope, topic, dataset, dag, run, facts, due_at, folded_into)
    SELECT new_key, new_kind, new_scope, new_topic, its_dataset, its_dag, its_run, new_facts, now() + delay, (
        SELECT m.id FROM rec.message m
        WHERE m.scope = new_scope AND m.topic = new_topic AND m.kind = new_kind AND m.settled_at IS NULL
        AND m.folded_into IS NULL AND m.created_at > now() - interval ''20 hours'' ORDER BY m.id DESC LIMIT 1
    )
    ON CONFLICT (key) DO NOTHING RETURNING id
';
COMMENT ON FUNCTION rec.tell IS 'write a message, once per key, or fold it into the one that it repeats; its id, or null if it was there';

CREATE FUNCTION rec.settle(
    good_scope text, its_dataset text, its_dag text, its_run text, new_facts jsonb, delay interval
) RETURNS bigint LANGUAGE sql AS '
    WITH bad AS (
        UPDATE rec.message SET settled_at = now()
        WHERE scope = good_scope AND settled_at IS NULL AND kind NOT IN (''recovered'', ''old'', ''waiting'')
        RETURNING id, kind, run, created_at
    )
    INSERT INTO rec.message (key, kind, scope, topic, dataset, dag, run, facts, due_at, settled_at)
    SELECT ''recovered/'' || max(id), ''recovered'', good_scope, '''', its_dataset, its_dag, its_run,
        new_facts || jsonb_build_object(''bad'', jsonb_agg(
            jsonb_build_object(''kind'', kind, ''run'', run, ''at'', created_at) ORDER BY id
        )), now() + delay, now()
    FROM bad HAVING count(*) > 0
    ON CONFLICT (key) DO NOTHING RETURNING id
';
COMMENT ON FUNCTION rec.settle IS 'what was bad is good again: announced once, with what it was; null if nothing was bad';

CREATE FUNCTION rec.tell_decision(its_run text, outcome text) RETURNS bigint LANGUAGE sql AS '
    SELECT CASE outcome
        WHEN ''rejected'' THEN rec.tell(
            ''rejected/'' || run || ''/'' || extract(epoch FROM now()), outcome, dag || ''/'' || dataset, outcome,
            dataset, dag, run, ''{}'', interval ''3 minutes''
        )
        WHEN ''promoted'' THEN rec.settle(dag || ''/'' || dataset, dataset, dag, run, ''{}'', interval ''3 minutes'')
    END
    FROM (SELECT run, dataset, substring(url FROM ''/dags/([^/]+)/runs/'') AS dag FROM rec.run) r
    WHERE run = its_run AND dag IS NOT NULL
';
COMMENT ON FUNCTION rec.tell_decision IS 'called in the transaction of a decision; whoever typed a run, which has no URL of Airflow, was told on the screen';

CREATE VIEW rec.alert AS
    SELECT m.id, m.kind, m.scope, m.topic, m.dataset, m.dag, m.run, m.created_at, m.settled_at,
           (SELECT count(*) FROM rec.message r WHERE r.folded_into = m.id) AS repeats,
           (SELECT max(d.sent_at) FROM rec.delivery d WHERE d.message = m.id) AS sent_at,
           (SELECT max(d.attempts) FROM rec.delivery d WHERE d.message = m.id AND d.sent_at IS NULL) AS failed_attempts,
           (SELECT max(d.error) FROM rec.delivery d WHERE d.message = m.id AND d.sent_at IS NULL) AS error
    FROM rec.message m WHERE m.folded_into IS NULL;
COMMENT ON VIEW rec.alert IS 'every message with its repeats, when it was sent, or why it was not yet';

-- The role of Airflow's alerts, where there is one; docker/postgres/databases.sql gives it the same at every start.
DO LANGUAGE plpgsql '
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = ''metrics_alerts'') THEN
        GRANT INSERT, UPDATE ON rec.message, rec.delivery TO metrics_alerts;
    END IF;
END
';
