package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// patience bounds every wait for something that must happen.
const patience = time.Minute

// A load is clients and workers that use a server all at once, badly. The same
// seed makes the same choices; the order in which they meet is the machine's.
type load struct {
	t       *testing.T
	url     string
	seed    uint64
	clients int
	workers int
	history *history

	careful atomic.Bool // workers make no more mistakes
}

// run keeps the load up for as long as trouble takes. Then nothing is at fault
// any more and nothing new is submitted: each run has to end, and is read twice.
func (l *load) run(trouble func()) *history {
	l.t.Helper()
	ctx, stop := context.WithCancel(l.t.Context())
	defer stop()
	asking, ask := context.WithCancel(ctx)
	var callers, workers sync.WaitGroup
	all := make([]*caller, l.clients)
	for i := range all {
		all[i] = &caller{load: l, client: l.client(), rand: l.dice(i), name: fmt.Sprint("c", i)}
		callers.Go(func() { all[i].call(asking) })
	}
	for i := range l.workers {
		// Every fourth has the name of the one before it, so that they supersede
		// each other.
		w := &worker{load: l, client: l.client(), rand: l.dice(1000 + i), name: fmt.Sprint("w", i-i%4/3), id: i}
		life := ctx
		if i == 0 {
			life, w.mortal = asking, true // it does not come back
		}
		workers.Go(func() { w.work(life) })
	}
	trouble()
	ask()
	callers.Wait()
	l.careful.Store(true)
	l.settle(all)
	stop()
	workers.Wait()
	return l.history
}

// settle waits until each run has ended, or one does not, and reads all of them
// again.
func (l *load) settle(callers []*caller) {
	reader := &caller{load: l, client: l.client(), rand: l.dice(9999)}
	var cookies []string
	for _, c := range callers {
		cookies = append(cookies, c.mine...)
	}
	for _, cookie := range cookies {
		if !reader.ended(l.t.Context(), cookie) {
			break
		}
	}
	for _, cookie := range cookies {
		reader.answered(l.t.Context(), cookie)
	}
}

// answered reads a run until there is an answer.
func (c *caller) answered(ctx context.Context, cookie string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil && !c.get(ctx, cookie, 0) {
	}
}

func (l *load) dice(who int) *rand.Rand { return rand.New(rand.NewPCG(l.seed, uint64(who))) }

// client makes a client whose calls are sent once, but for results.
func (l *load) client() *client.Client {
	c, err := client.New(client.Config{
		URL: l.url, Timeout: 10 * time.Second, RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond,
		Wrap: func(next http.RoundTripper) http.RoundTripper { return counting{next} },
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	return c
}

// counting counts how often the calls of a [counted] context are sent.
type counting struct{ next http.RoundTripper }

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if n, ok := r.Context().Value(triesKey{}).(*int); ok {
		*n++
	}
	return c.next.RoundTrip(r)
}

// A caller submits runs, reads and cancels them, and does all that again.
type caller struct {
	load   *load
	client *client.Client
	rand   *rand.Rand
	name   string
	twice  bool     // the path may bring a call to the server a second time
	mine   []string // cookies, the youngest last
	wants  []api.Submit
}

func (c *caller) call(ctx context.Context) {
	for ctx.Err() == nil {
		if len(c.mine) == 0 || c.rand.IntN(2) == 0 {
			c.fresh(ctx)
			continue
		}
		i := c.rand.IntN(len(c.mine))
		if c.rand.IntN(2) == 0 {
			i = max(0, len(c.mine)-1-c.rand.IntN(4)) // something may happen to it yet
		}
		switch c.rand.IntN(5) {
		case 0:
			c.submit(ctx, c.wants[i])
		case 1:
			other := c.wants[i]
			other.Variables = []byte(`{"other":true}`)
			c.submit(ctx, other)
		case 2:
			c.cancel(ctx, c.mine[i])
		case 3:
			c.get(ctx, c.mine[i], 0)
		case 4:
			c.get(ctx, c.mine[i], time.Second)
		}
	}
}

// fresh submits a new run until it is accepted, and does not run far ahead of
// the workers.
func (c *caller) fresh(ctx context.Context) {
	in := api.Submit{
		Pipeline: "p", Cookie: fmt.Sprint(c.name, "-", len(c.mine)), Variables: []byte(`{"n":1}`), MaxAttempts: 50,
		Priority: c.rand.IntN(3),
		Retry:    &api.Retry{Max: 1, BackoffMS: 20, MaxBackoffMS: 200, On: []api.RetryCode{api.RetryTimeout}}, // which nobody sends
	}
	switch c.rand.IntN(8) {
	case 0, 1:
		in.Delivery, in.MaxAttempts, in.Retry = api.AtMostOnce, 3, nil
	case 2:
		in.MaxAttempts = 1 + c.rand.IntN(2)
	case 3:
		soon := time.Now().Add(200 * time.Millisecond).Truncate(time.Microsecond)
		in.NotBefore = &soon
	case 5:
		in.Concurrency = &api.Concurrency{Key: c.name, Limit: 1}
	case 4:
		in.Retry.Max, in.Retry.On = 2, []api.RetryCode{api.RetryException}
	}
	c.mine, c.wants = append(c.mine, in.Cookie), append(c.wants, in)
	for ctx.Err() == nil && !c.submit(ctx, in) {
	}
	if c.rand.IntN(5) == 0 {
		c.cancel(ctx, in.Cookie)
	}
	if n := len(c.mine) - 5; n >= 0 {
		c.get(ctx, c.mine[n], time.Second)
	}
}

func (c *caller) submit(ctx context.Context, in api.Submit) bool {
	o := op{kind: opSubmit, cookie: in.Cookie, want: want{
		body: string(in.Variables), once: in.Delivery == api.AtMostOnce, max: in.MaxAttempts,
	}}
	if in.Retry != nil && (slices.Contains(in.Retry.On, api.RetryException) || slices.Contains(in.Retry.On, api.RetryProcessorException)) {
		o.want.retries = in.Retry.Max
	}
	if in.Concurrency != nil {
		o.want.key = in.Concurrency.Key
	}
	return c.made(ctx, o, func(ctx context.Context) (api.Run, error) { return c.client.Submit(ctx, in, 0) })
}

func (c *caller) get(ctx context.Context, cookie string, wait time.Duration) bool {
	return c.made(ctx, op{kind: opGet, cookie: cookie}, func(ctx context.Context) (api.Run, error) {
		return c.client.Get(ctx, cookie, wait)
	})
}

func (c *caller) cancel(ctx context.Context, cookie string) bool {
	return c.made(ctx, op{kind: opCancel, cookie: cookie}, func(ctx context.Context) (api.Run, error) {
		return c.client.Cancel(ctx, cookie, "")
	})
}

// made makes a call, records it, and reports whether it was answered. What was
// begun is not given up when ctx ends.
func (c *caller) made(ctx context.Context, o op, call func(context.Context) (api.Run, error)) bool {
	o.call = c.load.history.now()
	got, err := call(context.WithoutCancel(ctx))
	o.ret = c.load.history.now()
	o.code, o.unknown = told(err)
	if err == nil {
		o.view = viewOf(got)
	}
	ops := []op{o}
	if c.twice && o.kind != opGet && !o.unknown { // the answer may be the second one's
		first := o
		first.unknown, first.code, first.view = true, "", view{}
		ops = append(ops, first)
	}
	c.load.history.add(o.unknown, ops...)
	if o.unknown {
		pause(ctx, c.rand)
	}
	return !o.unknown
}

// ended reads a run until it has ended or is not there, and reports whether that
// came in time.
func (c *caller) ended(ctx context.Context, cookie string) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		began := c.load.history.now()
		run, err := c.client.Get(ctx, cookie, time.Second)
		code, unknown := told(err)
		if unknown {
			pause(ctx, c.rand)
			continue
		}
		c.load.history.add(false, op{kind: opGet, cookie: cookie, call: began, ret: c.load.history.now(), code: code, view: viewOf(run)})
		if code != "" || run.State.Final() {
			return true
		}
	}
	return false
}

// pause keeps callers whose server is away from calling all the time.
func pause(ctx context.Context, dice *rand.Rand) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(1+dice.IntN(20)) * time.Millisecond):
	}
}

// remove takes out of a list what drop says, and returns both parts.
func remove(list []*held, drop func(*held) bool) (kept, dropped []*held) {
	for _, h := range list {
		if drop(h) {
			dropped = append(dropped, h)
		}
	}
	return slices.DeleteFunc(list, drop), dropped
}
