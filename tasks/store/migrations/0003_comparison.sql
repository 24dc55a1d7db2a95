-- Comparisons of models with several seeds on the prepared dataset of a run: every trial and its metrics.
-- depends: 0001_metrics

CREATE TABLE rec.comparison (
    run text PRIMARY KEY,
    dataset text NOT NULL,
    dataset_hash text NOT NULL,
    metric text NOT NULL,
    k integer NOT NULL CHECK (k >= 0),
    against text,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE rec.comparison IS 'one row per run whose models were compared; no row of rec.run is needed, for a run may have come with a store';
COMMENT ON COLUMN rec.comparison.dataset_hash IS 'of the bytes that prepare made: equal hashes are the same users, items, split and features';
COMMENT ON COLUMN rec.comparison.metric IS 'with k the metric that decides, on validation';
COMMENT ON COLUMN rec.comparison.against IS 'the model that the last call compared all others with';
COMMENT ON COLUMN rec.comparison.finished_at IS 'null while trials are missing, or when a call was interrupted';

CREATE TABLE rec.comparison_trial (
    run text NOT NULL REFERENCES rec.comparison ON DELETE CASCADE,
    world text NOT NULL CHECK (world IN ('plain', 'permuted', 'cold')),
    model text NOT NULL,
    seed bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('done', 'failed')),
    error text,
    hyperparameters jsonb NOT NULL,
    fingerprint text NOT NULL,
    seconds double precision CHECK (seconds >= 0 AND seconds < 'Infinity'),
    device text NOT NULL,
    code_version text NOT NULL,
    artefact text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run, world, model, seed),
    CHECK ((status = 'failed') = (error IS NOT NULL)),
    CHECK ((status = 'done') = (artefact IS NOT NULL AND seconds IS NOT NULL))
);
COMMENT ON TABLE rec.comparison_trial IS 'one training and evaluation of a comparison';
COMMENT ON COLUMN rec.comparison_trial.world IS 'plain: the dataset as it is; permuted: with the features of other items; cold: with items held out of training';
COMMENT ON COLUMN rec.comparison_trial.fingerprint IS 'of all that decides the metrics beside world and seed; trials of a model in a run share it';
COMMENT ON COLUMN rec.comparison_trial.seconds IS 'of the training';

CREATE TABLE rec.comparison_metric (
    run text NOT NULL,
    world text NOT NULL,
    model text NOT NULL,
    seed bigint NOT NULL,
    split text NOT NULL CHECK (split IN ('valid', 'test')),
    segment text NOT NULL,
    metric text NOT NULL,
    k integer NOT NULL CHECK (k >= 0),
    value double precision NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
    PRIMARY KEY (run, world, model, seed, split, segment, metric, k),
    FOREIGN KEY (run, world, model, seed) REFERENCES rec.comparison_trial ON DELETE CASCADE
);
COMMENT ON TABLE rec.comparison_metric IS 'one metric of a trial, such as recall at k = 20';
COMMENT ON COLUMN rec.comparison_metric.segment IS 'all, or in the cold world the items that compete: held-out items or all items';
COMMENT ON COLUMN rec.comparison_metric.value IS 'finite: PostgreSQL sorts NaN above Infinity, so the check refuses it';

CREATE VIEW rec.comparison_summary AS
    SELECT c.dataset, c.dataset_hash, t.run, t.world, t.model, t.hyperparameters, m.split, m.segment, m.metric, m.k,
           count(*) AS seeds, avg(m.value) AS mean, stddev_samp(m.value) AS deviation,
           (m.metric, m.k) = (c.metric, c.k) AS decides
    FROM rec.comparison c
    JOIN rec.comparison_trial t USING (run)
    JOIN rec.comparison_metric m USING (run, world, model, seed)
    WHERE NOT EXISTS (
        SELECT 1 FROM rec.comparison_trial f WHERE f.run = t.run AND f.model = t.model AND f.status = 'failed'
    )
    GROUP BY c.run, t.run, t.world, t.model, t.hyperparameters, m.split, m.segment, m.metric, m.k;
COMMENT ON VIEW rec.comparison_summary IS 'mean and standard deviation over seeds; a model of which a trial failed is left out';

CREATE VIEW rec.comparison_best AS
    SELECT DISTINCT ON (v.dataset, v.dataset_hash, v.metric, v.k, v.model)
           v.dataset, v.dataset_hash, v.model, v.metric, v.k, v.mean AS valid, t.mean AS test, v.seeds, v.run,
           v.hyperparameters
    FROM rec.comparison_summary v
    JOIN rec.comparison_summary t USING (run, world, model, segment, metric, k)
    WHERE v.world = 'plain' AND v.segment = 'all' AND v.decides AND v.split = 'valid' AND t.split = 'test'
    ORDER BY v.dataset, v.dataset_hash, v.metric, v.k, v.model, v.mean DESC, v.run;
COMMENT ON VIEW rec.comparison_best IS 'each model of a dataset with the hyperparameters that were best on validation, and what these reach on test';
