DROP TABLE rec.garbage;
