-- What tells this database from every other, wherever it is copied to. It has one
-- row, from the first start.
CREATE TABLE identity (
    one INTEGER PRIMARY KEY, -- is 1
    id  TEXT    NOT NULL
) STRICT;
