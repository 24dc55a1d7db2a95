-- What each feature and log of a run was like: the next run is compared with that of what is served.
-- depends: 0001_metrics

CREATE TABLE rec.profile (
    run text NOT NULL,
    suite text NOT NULL,
    subject text NOT NULL,
    origin text NOT NULL,
    measures jsonb NOT NULL,
    sketch jsonb NOT NULL,
    PRIMARY KEY (run, suite, subject),
    FOREIGN KEY (run, suite) REFERENCES rec.validation ON DELETE CASCADE
);
COMMENT ON TABLE rec.profile IS 'what each feature and log of a run was like';
COMMENT ON COLUMN rec.profile.subject IS 'name of the feature; of suite check-dataset: log';
COMMENT ON COLUMN rec.profile.origin IS 'identity of the encoder, or prefix of the ready-made matrix; empty for a log';
COMMENT ON COLUMN rec.profile.measures IS 'number by name';
COMMENT ON COLUMN rec.profile.sketch IS 'scale and fourier: mean of random Fourier features of the vectors; neighbours: the nearest others of sampled items';

CREATE VIEW rec.profile_measure AS
    SELECT r.dataset, p.run, r.started_at, r.status, p.suite, p.subject, m.key AS measure, m.value::double precision AS value
    FROM rec.profile p JOIN rec.run r USING (run), jsonb_each_text(p.measures) m;
COMMENT ON VIEW rec.profile_measure IS 'the numbers of rec.profile, one a row';
