-- The states of a dataset's inputs, numbered in the order in which scans found them: what is older is told without a clock.
-- depends: 0001_metrics

CREATE TABLE rec.inputs (
    dataset text NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    hash text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, number)
);
COMMENT ON TABLE rec.inputs IS 'each state of the media, log and matrices of a dataset that a scan found; it differs from the one before';
COMMENT ON COLUMN rec.inputs.number IS 'a run with a lower number than what is served comes from older inputs';
