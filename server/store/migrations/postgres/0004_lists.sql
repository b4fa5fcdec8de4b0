-- For lists of runs that are few among many. A run that succeeds has an entry in
-- these while it waits, and one when it has ended.
CREATE INDEX runs_waiting ON runs (seq) WHERE state < 2;
CREATE INDEX runs_worker ON runs (worker, seq) WHERE state > 3;
CREATE INDEX runs_failed_pipeline ON runs (pipeline, seq) WHERE state > 4;
CREATE INDEX routes_queue ON routes (queue);
