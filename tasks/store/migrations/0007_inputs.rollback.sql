DROP TABLE rec.inputs;
