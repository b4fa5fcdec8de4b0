package outbox_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/manager/outbox"
)

// A hanging disk does not answer a sync before it is mended.
type hanging struct {
	outbox.System
	hangs  atomic.Bool
	mended chan struct{}
}

func (d *hanging) Open(path string, flag int) (outbox.File, error) {
	f, err := d.System.Open(path, flag)
	return hangingFile{f, d}, err
}

type hangingFile struct {
	outbox.File
	disk *hanging
}

func (f hangingFile) Sync() error {
	if f.disk.hangs.Load() {
		<-f.disk.mended
	}
	return f.File.Sync()
}

// openHanging is an outbox with one result, whose disk hangs from then on.
func openHanging(t *testing.T) (*outbox.Outbox, *hanging, string) {
	t.Helper()
	d, dir := &hanging{mended: make(chan struct{})}, t.TempDir()
	o, _ := openOn(t, dir, d)
	put(t, o, entry("before", `1`))
	d.hangs.Store(true)
	return o, d, dir
}

// mend has the disk answer.
func (d *hanging) mend() {
	d.hangs.Store(false)
	close(d.mended)
}

// Nobody waits for ever for a disk that hangs, and what was to be written is there
// when it answers.
func TestADiskThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, d, dir := openHanging(t)
		for name, call := range map[string]func() error{
			"Put":       func() error { return o.Put(entry("a", `1`)) },
			"Put again": func() error { return o.Put(entry("a", `1`)) },
			"SetAside": func() error {
				_, err := o.SetAside(key("before"))
				return err
			},
		} {
			began := time.Now()
			if err := call(); err == nil || !strings.Contains(err.Error(), "not answered") || time.Since(began) > 10*time.Second {
				t.Errorf("%s = %v after %s, want soon that the disk hangs", name, err, time.Since(began))
			}
		}
		o.Judged(key("before"))
		if err := o.Put(entry("b", `2`)); err == nil {
			t.Error("Put() = nil while the disk hangs")
		}
		o.Judged(key("b"))
		if err := o.Close(); err == nil {
			t.Error("Close() = nil while the disk hangs")
		}
		d.mend()
		put(t, o, entry("c", `3`))
		if err := o.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		there := cookies(open(t, dir))
		if slices.Sort(there); !slices.Equal(there, []string{"a", "c"}) {
			t.Errorf("%q wait, want what was put and not judged", there)
		}
	})
}

// A worker whose disk hangs sends its result all the same, and ends in time.
func TestADrainOnADiskThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, d, _ := openHanging(t)
		defer d.mend()
		var posted []api.Result
		m := manager.New(manager.Config{Capacity: 1, Outbox: o}, done{}, func(_ context.Context, results []api.Result) (verdicts []api.Verdict, _ error) {
			posted = append(posted, results...)
			for _, r := range results {
				verdicts = append(verdicts, api.Verdict{Cookie: r.Cookie, Fence: r.Fence, Verdict: api.VerdictAccepted})
			}
			return verdicts, nil
		}, slog.New(slog.DiscardHandler))
		m.Resume()
		m.Handle(api.Packet{PacketType: api.PacketRun, Cookie: "a", Fence: 1, Pipeline: "p"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := m.Drain(ctx)
		if took := time.Since(began); err != nil || took > 10*time.Second {
			t.Errorf("Drain() = %v after %s, want nil within 10 s", err, took)
		}
		if !slices.ContainsFunc(posted, func(r api.Result) bool { return r.Cookie == "a" && r.RC == api.RCOK }) {
			t.Errorf("posted %v, want the result that the disk did not take", posted)
		}
	})
}

// done is an engine whose pipelines are over at once.
type done struct{}

func (done) Run(context.Context, engine.Input) (engine.Output, error) {
	return engine.Output{Result: json.RawMessage(`1`)}, nil
}
