package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager/outbox"
	"github.com/pullrun/pullrun/otel"
)

func pipelinesCheck(cfg configs.Worker) finding {
	set, err := loadPipelines(engine.LoadOptions{Dirs: cfg.Pipelines.Dirs}, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return fail("\"pullrun validate DIR\" shows all that is wrong", "%v", err)
	}
	if n := len(set.Warnings()); n > 0 {
		return warn("\"pullrun validate DIR\" shows what is odd", "%s, %s", plural(len(set.offered()), "pipeline"), plural(n, "warning"))
	}
	return ok("%s", plural(len(set.offered()), "pipeline"))
}

// longWait is from when on a result that waits shows that something is wrong.
const longWait = 10 * time.Minute

// outboxCheck looks into the outbox of the worker with this name. A worker may
// have it open.
func outboxCheck(cfg configs.Outbox, name string) finding {
	dir, err := outboxDir(cfg, name)
	switch {
	case err != nil:
		return fail("set outbox.dir", "%v", err)
	case dir == "":
		return warn("set outbox.dir to keep them on disk", "results are kept in memory, and lost with the process: outbox.dir is empty")
	}
	state, err := outbox.Inspect(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newOutboxCheck(dir)
	case err != nil:
		return fail("run this as the worker's user, or mend the directory", "%v", err)
	}
	if err := writable(dir); err != nil {
		return fail("make it the worker's user's, or make room on its disk", "%v", err)
	}
	waits := "nothing waits"
	if state.Results > 0 {
		waits = plural(state.Results, "result") + " of " + configs.Size(state.Bytes).String() + " in all"
		if !state.Oldest.IsZero() {
			waits += ", the oldest for " + took(time.Since(state.Oldest))
		}
		waits += ", not with the server yet"
	}
	seen := dir + ": " + waits
	switch {
	case state.Damaged > 0:
		return warn("the next start of the worker sets a copy aside and keeps what can be read; their runs are run again", "%s; %s cannot be read", seen, plural(state.Damaged, "record"))
	case state.Bytes >= int64(cfg.Max):
		return warn("a worker takes nothing while outbox.max is reached: see why the server does not get them", "%s", seen)
	case state.Unknown != "":
		return warn("see \"When the server does not know a result\" in docs/worker.md", "%s; results that a server did not know were set aside: %s", seen, filepath.Base(state.Unknown))
	case len(state.Aside) > 0:
		return warn("look at what was set aside, and delete it", "%s; damaged files were set aside: %s", seen, filepath.Base(state.Aside[0]))
	case !state.Oldest.IsZero() && time.Since(state.Oldest) > longWait:
		return warn("start the worker, or see in its log why the server does not get them", "%s", seen)
	}
	return ok("%s", seen)
}

// newOutboxCheck finds out whether the worker can make its directory.
func newOutboxCheck(dir string) finding {
	above := filepath.Dir(dir)
	for {
		if info, err := os.Stat(above); err == nil && info.IsDir() {
			break
		} else if parent := filepath.Dir(above); parent == above {
			return fail("set outbox.dir", "%s is not there, nor is anything above it", dir)
		} else {
			above = parent
		}
	}
	if err := writable(above); err != nil {
		return fail("make it for the worker's user, or set outbox.dir", "%s is not there, and cannot be made: %v", dir, err)
	}
	return ok("%s is made by the worker's first start", dir)
}

// writable makes sure of it, by a file that is gone at once.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("a place for results\n")
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// collectorTimeout bounds the export that the collector is judged by.
const collectorTimeout = 5 * time.Second

func collectorCheck(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, collectorTimeout)
	defer cancel()
	collector, err := otel.Check(ctx)
	switch {
	case err != nil && collector == "":
		return fail("mend the variable", "%v", err)
	case err != nil:
		return fail("check OTEL_EXPORTER_OTLP_ENDPOINT and that the collector can be reached from here; until then traces are dropped, and runs go on", "%s does not take traces: %v", collector, err)
	case collector == "":
		return ok("OTEL_* names none: traces go to the server, where it takes them")
	}
	return ok("%s takes traces", collector)
}
