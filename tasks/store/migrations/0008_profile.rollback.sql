DROP VIEW rec.profile_measure;
DROP TABLE rec.profile;
