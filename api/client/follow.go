package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A Watch says what of a run a reader wants to see, as it happens. What is nil
// is not asked for. The functions are called one at a time.
type Watch struct {
	// State is shown each state that the run is seen in.
	State func(api.Run)
	// Progress is shown where the run is. While somebody wants it, the worker
	// tells every second.
	Progress func(api.Progress)
	// Event is shown the run's history, and what is added to it.
	Event func(api.Event)
	// After is the number after which the history is wanted.
	After int64
	// Tail, if it is not nil, is how many events of the history so far are
	// wanted, the last ones.
	Tail *int
}

// Follow watches the states of a run: see [Client.Watch].
func (c *Client) Follow(ctx context.Context, cookie string, show func(api.Run)) (api.Run, error) {
	return c.Watch(ctx, cookie, Watch{State: show})
}

// Watch reads a run's stream of events until the run has ended, through
// outages, or until ctx ends, and returns the run as it ended. Events come in
// order and once, however often the connection is lost.
func (c *Client) Watch(ctx context.Context, cookie string, watch Watch) (api.Run, error) {
	if !api.ValidCookie(cookie) {
		return api.Run{}, api.Errorf(api.CodeInvalidRequest, "follow run %q: this is no cookie", cookie)
	}
	w := &watcher{Watch: watch}
	for attempt := 0; ; attempt++ {
		heard := w.heard
		err := c.stream(ctx, cookie, w)
		if errors.Is(err, errSeen) {
			return w.run, nil
		}
		if w.heard > heard {
			attempt = 0
		}
		switch {
		case w.run.State.Final() && err == nil:
			return w.run, nil
		case ctx.Err() != nil:
			return w.run, context.Cause(ctx)
		case err != nil && !Retryable(err):
			return w.run, errorf(err, "follow run %q", cookie)
		}
		select {
		case <-ctx.Done():
			return w.run, context.Cause(ctx)
		case <-time.After(pause(c.cfg.RetryMin, c.cfg.RetryMax, attempt, 0)):
		}
	}
}

// A watcher is how far a watch has come.
type watcher struct {
	Watch
	run   api.Run
	heard int // events, of any kind
}

// query is what the watch asks of the server.
func (w *watcher) query() url.Values {
	q := url.Values{"kind": {api.EventState}}
	if w.Progress != nil {
		q.Add("kind", api.EventProgress)
	}
	if w.Event == nil {
		return q
	}
	if w.Progress == nil {
		q.Add("kind", api.EventLog)
	} else {
		q.Del("kind")
	}
	if w.Tail != nil {
		q.Set("tail", strconv.Itoa(*w.Tail))
	} else {
		q.Set("after", strconv.FormatInt(w.After, 10))
	}
	return q
}

// errSeen ends a stream that has shown all that was asked for.
var errSeen = errors.New("the run has ended")

// event shows one event of the stream.
func (w *watcher) event(kind, data string) error {
	w.heard++
	var err error
	switch kind {
	case api.EventState:
		var run api.Run
		if err = json.Unmarshal([]byte(data), &run); err != nil {
			break
		}
		w.run = run
		if w.State != nil {
			w.State(run)
		}
		if run.State.Final() && w.Event == nil {
			return errSeen
		}
	case api.EventProgress:
		var p api.Progress
		if w.Progress != nil && json.Unmarshal([]byte(data), &p) == nil {
			w.Progress(p)
		}
	default:
		var e api.Event
		if w.Event != nil && json.Unmarshal([]byte(data), &e) == nil && e.N > w.After { // what is no event is passed over
			w.After, w.Tail = e.N, nil
			w.Event(e)
		}
	}
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	return nil
}

// silence is how long a stream may say nothing, not even that it is alive,
// before it is taken for dead.
const silence = 40 * time.Second

// stream reads server-sent events (https://html.spec.whatwg.org/#event-stream-interpretation)
// from one connection and shows each to w.
func (c *Client) stream(ctx context.Context, cookie string, w *watcher) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := c.request(ctx, call{method: http.MethodGet, path: "/v1/runs/" + cookie + "/events", query: w.query()})
	if err != nil {
		return err
	}
	dead := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing was heard for %s", silence)) })
	defer dead.Stop()
	req.Header.Set("Accept", "text/event-stream, application/problem+json")
	resp, err := c.streams.Do(req.Request)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return problem(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxAnswer)
	var kind string
	var data []string
	for lines.Scan() {
		dead.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if len(data) > 0 {
				if err := w.event(kind, strings.Join(data, "\n")); err != nil {
					return err
				}
			}
			kind, data = "", nil
		case field == "event":
			kind = value
		case field == "data":
			data = append(data, value)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, context.Canceled) {
		return c.explain(ctx, err)
	}
	return context.Cause(ctx)
}
