ALTER TABLE rec.comparison_trial DROP COLUMN cpu, DROP COLUMN peak_mib;
