package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/poller"
)

type pollFigures struct {
	Machine      string       `json:"machine"`
	Polls        int          `json:"polls"`
	ParkedIn     milliseconds `json:"parked_in_ms"` // from the first registration to the last poll
	BytesPerPoll int64        `json:"server_bytes_per_poll"`
	IdleCPU      float64      `json:"server_cpu_idle"` // share of one core while the polls are held and renewed
	BackIn       milliseconds `json:"back_in_ms"`      // from the new server's start to the last poll
}

// measurePolls parks a poll for each of many workers, and restarts the server.
func measurePolls(ctx context.Context, o options) (any, error) {
	s, err := start(ctx, o, 0)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	empty, err := s.usage()
	if err != nil {
		return nil, err
	}
	f := pollFigures{Machine: machine(), Polls: o.clients}
	fleet, err := newFleet(s.url)
	if err != nil {
		return nil, err
	}
	defer fleet.stop()
	began := time.Now()
	fleet.start(ctx, o.clients)
	if err := fleet.parked(ctx, o.clients); err != nil {
		return nil, err
	}
	f.ParkedIn = ms(time.Since(began))

	time.Sleep(o.warm) // what parking them has left is cleared up
	before, err := s.usage()
	if err != nil {
		return nil, err
	}
	time.Sleep(o.measure)
	after, err := s.usage()
	if err != nil {
		return nil, err
	}
	f.BytesPerPoll = (after.rss["server"] - empty.rss["server"]) / int64(o.clients)
	f.IdleCPU = (after.cpu["server"] - before.cpu["server"]).Seconds() / o.measure.Seconds()

	s.end("server", syscall.SIGTERM)
	began = time.Now()
	if err := s.server(ctx); err != nil {
		return nil, err
	}
	if err := fleet.parked(ctx, o.clients); err != nil {
		return nil, err
	}
	f.BackIn = ms(time.Since(began))
	return f, nil
}

// A fleet is many workers' pollers in this process, over real connections. They
// take no runs.
type fleet struct {
	client  *client.Client
	polls   atomic.Int64 // under way
	end     context.CancelFunc
	pollers sync.WaitGroup
}

func newFleet(url string) (*fleet, error) {
	c, err := client.New(client.Config{URL: url})
	return &fleet{client: c, end: func() {}}, err
}

func (f *fleet) start(ctx context.Context, n int) {
	ctx, f.end = context.WithCancel(ctx)
	for i := range n {
		name := fmt.Sprintf("bench-%d", i)
		p := poller.New(poller.Config{Register: api.Register{Name: name, Capacity: 1, Queues: []string{api.DefaultQueue}}},
			counting{f.client, &f.polls}, idle{}, slog.New(slog.DiscardHandler))
		f.pollers.Go(func() { _ = p.Run(ctx) }) // ends with ctx
	}
}

// parked returns when n polls are under way.
func (f *fleet) parked(ctx context.Context, n int) error {
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if f.polls.Load() >= int64(n) {
				return nil
			}
		}
	}
}

func (f *fleet) stop() {
	f.end()
	f.pollers.Wait()
	f.client.Close()
}

// counting counts the polls that are under way.
type counting struct {
	*client.Client
	polls *atomic.Int64
}

func (c counting) Poll(ctx context.Context, worker string, in api.Poll) ([]api.Packet, error) {
	c.polls.Add(1)
	defer c.polls.Add(-1)
	return c.Client.Poll(ctx, worker, in)
}

// idle is a worker that is never given anything.
type idle struct{}

func (idle) Handle(api.Packet) bool          { return false }
func (idle) Holding() []api.Held             { return nil }
func (idle) Leases(lost, claimed []api.Held) {}
