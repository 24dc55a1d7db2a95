ALTER TABLE rec.media_seen DROP COLUMN interactions;
COMMENT ON TABLE rec.media_seen IS 'what the media of a dataset looked like when new ones were last reported';
COMMENT ON COLUMN rec.media_seen.fingerprint IS NULL;
