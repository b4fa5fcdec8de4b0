-- For lists of runs, which are those of each route, of a worker or of a submitter.
-- Of the indexes by route a run is in one, by its state.
DROP INDEX runs_pipeline;
DROP INDEX runs_failed_pipeline;
DROP INDEX runs_waiting;
DROP INDEX runs_scheduled;
DROP INDEX runs_worker;
CREATE INDEX runs_scheduled ON runs (route, seq) WHERE state = 0;
CREATE INDEX runs_blocked ON runs (route, seq) WHERE state = 1 AND blocked = 1;
CREATE INDEX runs_succeeded ON runs (route, seq) WHERE state = 4;
CREATE INDEX runs_succeeded_worker ON runs (worker, seq) WHERE state = 4;
CREATE INDEX runs_failed_route ON runs (route, seq) WHERE state > 4;
CREATE INDEX runs_failed_worker ON runs (worker, seq) WHERE state > 4;
CREATE INDEX runs_failed_submitter ON runs (submitter, seq) WHERE state > 4;
