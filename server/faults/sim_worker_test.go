package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/manager/outbox"
	"github.com/pullrun/pullrun/poller"
)

// workPipeline is what the workers of a simulation run: the chip takes its
// time, or fails.
const workPipeline = `
- chip: sim.work
  params: {cookie: "{{ cookie }}", seconds: "{{ seconds }}", fail: "{{ fail }}", once: "{{ once }}"}
  store_result_as: done
- return: "{{ done.value }}"
`

type workRequest struct {
	Cookie  string `doc:"The run." required:"true"`
	Seconds int    `doc:"How long it takes." required:"true"`
	Fail    bool   `doc:"Whether it fails in the end." required:"true"`
	Once    bool   `doc:"Whether it must not start twice." required:"true"`
}

type workResponse struct {
	Value string `doc:"Like no other."`
}

// pipelines are those of every worker of the simulation.
func (s *sim) pipelines() *engine.Collection {
	var made atomic.Int64
	chip := engine.NewChip("sim.work", "Works.", func(ctx context.Context, in workRequest) (workResponse, error) {
		if in.Once {
			s.history.start(in.Cookie)
		}
		value := fmt.Sprintf("%s/%d", in.Cookie, made.Add(1))
		select {
		case <-ctx.Done():
			return workResponse{}, context.Cause(ctx)
		case <-time.After(time.Duration(in.Seconds) * time.Second):
		}
		if in.Fail {
			return workResponse{}, errors.New(value)
		}
		return workResponse{value}, nil
	})
	all, err := engine.Load(engine.LoadOptions{
		FS:    fstest.MapFS{"work.yml": {Data: []byte(workPipeline)}},
		Chips: engine.NewChips(chip),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// A simWorker is a real worker but for its process: poller, manager, engine and
// outbox, behind a path with faults. It is started again when it has ended.
type simWorker struct {
	*sim
	name string
	path *path
}

// live works until ctx ends, and hands back what does not finish within a time.
func (w *simWorker) live(ctx context.Context, patience time.Duration) {
	c := w.path.client()
	defer c.Close()
	box, err := outbox.Open(outbox.Config{Dir: filepath.Join(w.dir, w.name), Max: 1 << 20}, w.log)
	if err != nil {
		w.t.Errorf("worker %s: %v", w.name, err)
		return
	}
	defer box.Close()
	log := w.log.With("life", w.name)
	var p *poller.Poller
	m := manager.New(manager.Config{Worker: w.name, Capacity: capacity, Grace: 5 * time.Second, MaxResult: 1 << 16, Outbox: box}, w.work,
		func(ctx context.Context, results []api.Result) ([]api.Verdict, error) {
			_, session := p.Session()
			return w.post(ctx, c, session, results)
		}, log)
	p = poller.New(poller.Config{
		Register: api.Register{Name: w.name, Capacity: capacity}, Opened: func(api.Registered) { m.Resume() }, Paused: m.Paused, Judged: m.Judged,
	}, recorder{c, w}, m, log)
	polling, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(polling) }()
	<-ctx.Done()
	m.Refuse()
	within, cancel := context.WithTimeout(context.Background(), patience)
	_ = p.Drain(within) // the lease ends by itself otherwise
	_ = m.Drain(within) // what is left is in the outbox, or handed back
	_ = p.Leave(within) // as above
	cancel()
	stop()
	if err := <-ended; err != nil {
		w.t.Errorf("worker %s: %v", w.name, err)
	}
}

// post posts results and records what the server says to them. The path may
// have sent them twice.
func (w *simWorker) post(ctx context.Context, c *client.Client, session string, results []api.Result) ([]api.Verdict, error) {
	began := w.history.now()
	verdicts, err := c.PostResults(ctx, w.name, api.Results{Session: session, Results: results})
	var ops []op
	for i, r := range results {
		if r.RC == api.RCCookieNotFound { // answers a CANCEL, and no offer
			continue
		}
		o := op{
			kind: opResult, cookie: r.Cookie, lease: lease{w.name, r.Fence}, call: began, ret: w.history.now(),
			view: outcome(&r), back: !r.RC.Ends(), tries: 2, unknown: err != nil,
		}
		if err == nil {
			o.code = string(verdicts[i].Verdict)
		}
		ops = append(ops, o)
	}
	w.history.add(err != nil, ops...)
	return verdicts, err
}

// A recorder records what a worker is told.
type recorder struct {
	*client.Client
	w *simWorker
}

func (r recorder) op(k kind, began int64, cookie string, fence int64) op {
	return op{kind: k, cookie: cookie, lease: lease{r.w.name, fence}, call: began, ret: r.w.history.now()}
}

func (r recorder) lost(began int64, list []api.Held) []op {
	var ops []op
	for _, h := range list {
		ops = append(ops, r.op(opLost, began, h.Cookie, h.Fence))
	}
	return ops
}

func (r recorder) Register(ctx context.Context, in api.Register) (api.Registered, error) {
	began := r.w.history.now()
	out, err := r.Client.Register(ctx, in)
	r.w.history.add(err != nil, r.lost(began, out.Lost)...)
	return out, err
}

func (r recorder) Poll(ctx context.Context, worker string, in api.Poll) ([]api.Packet, error) {
	began := r.w.history.now()
	packets, err := r.Client.Poll(ctx, worker, in)
	var ops []op
	for _, p := range packets {
		switch {
		case p.PacketType == api.PacketRun:
			ops = append(ops, r.op(opOffer, began, p.Cookie, p.Fence))
		case p.PacketType == api.PacketCancel && strings.Contains(p.Reason, "lost"):
			ops = append(ops, r.op(opLost, began, p.Cookie, p.Fence))
		}
	}
	r.w.history.add(err != nil, ops...)
	return packets, err
}

func (r recorder) Heartbeat(ctx context.Context, worker string, in api.Heartbeat) (api.Beat, error) {
	began := r.w.history.now()
	out, err := r.Client.Heartbeat(ctx, worker, in)
	_, unknown := told(err)
	var ops []op
	for _, h := range in.Holding {
		if !h.Claim {
			continue
		}
		o := r.op(opClaim, began, h.Cookie, h.Fence)
		o.unknown, o.code = unknown, "not claimed"
		for _, c := range out.Claimed {
			if c.Cookie == h.Cookie && c.Fence == h.Fence {
				o.code = ""
			}
		}
		ops = append(ops, o)
	}
	r.w.history.add(unknown, append(ops, r.lost(began, out.Lost)...)...)
	return out, err
}

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)
