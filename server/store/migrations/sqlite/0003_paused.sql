-- Why a worker takes nothing for the time being, as it says; empty when it does.
ALTER TABLE sessions ADD COLUMN paused TEXT NOT NULL DEFAULT '';
