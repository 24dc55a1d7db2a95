-- What a trial of a comparison cost beside its seconds; NULL for those of before, and where no memory is told.
-- depends: 0011_garbage

ALTER TABLE rec.comparison_trial
    ADD COLUMN cpu double precision CHECK (cpu >= 0 AND cpu < 'Infinity'),
    ADD COLUMN peak_mib double precision CHECK (peak_mib >= 0 AND peak_mib < 'Infinity');
COMMENT ON COLUMN rec.comparison_trial.cpu IS 'CPU seconds of the training, of all threads';
COMMENT ON COLUMN rec.comparison_trial.peak_mib IS 'largest memory of the process during the training, minus what it had before, in MiB';
