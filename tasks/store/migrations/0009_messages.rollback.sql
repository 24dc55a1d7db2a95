DROP VIEW rec.alert;
DROP FUNCTION rec.tell_decision;
DROP FUNCTION rec.settle;
DROP FUNCTION rec.tell;
DROP TABLE rec.delivery;
DROP TABLE rec.message;
