-- Whether the media or the log of a dataset have changed is found apart. At the next look both are reported once.
-- depends: 0001_metrics

ALTER TABLE rec.media_seen ADD COLUMN interactions text;
COMMENT ON TABLE rec.media_seen IS 'what a dataset looked like when its changes were last reported';
COMMENT ON COLUMN rec.media_seen.fingerprint IS 'of the list of its media and matrices; empty if there are none';
COMMENT ON COLUMN rec.media_seen.interactions IS 'the version of its log; null if there is none';
