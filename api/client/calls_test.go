package client_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// TestCalls shows every call as it travels: the request, and that its answer
// arrives.
func TestCalls(t *testing.T) {
	t.Parallel()
	empty := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	held := []api.Held{{Cookie: "c", Fence: 1}}
	for _, tt := range []struct {
		name   string
		call   func(ctx context.Context, c *client.Client) (any, error)
		answer http.HandlerFunc
		line   string
		body   string
	}{
		{"submit", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Submit(ctx, api.Submit{Cookie: "c", Pipeline: "p"}, 0)
			return out.State == api.StateSucceeded, err
		}, answer(201, ended), "POST /base/v1/runs", `{"pipeline":"p","cookie":"c"}`},
		{"submit a batch", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.SubmitBatch(ctx, []api.Submit{{Cookie: "c", Pipeline: "p"}})
			return len(out) == 1 && out[0].Run.Cookie == "c", err
		}, answer(200, api.SubmitBatchResult{Results: []api.SubmitResult{{Run: &ended}}}), "POST /base/v1/runs/batch", `{"runs":[{"pipeline":"p","cookie":"c"}]}`},
		{"read", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Get(ctx, "c", 0)
			return out.State == api.StateSucceeded, err
		}, answer(200, ended), "GET /base/v1/runs/c", ""},
		{"list", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.List(ctx, client.Filter{States: []api.State{"QUEUED", "RUNNING"}, Pipeline: "a b", Queue: "q", Worker: "w", Submitter: "s",
				Since: time.Unix(0, 5e6), Until: time.Unix(1, 0), Tags: map[string]string{"k": "v"}, Limit: 5, Cursor: "n"})
			return len(out.Runs) == 1, err
		}, answer(200, api.RunList{Runs: []api.Run{ended}}),
			"GET /base/v1/runs?cursor=n&limit=5&pipeline=a+b&queue=q&since=1970-01-01T00%3A00%3A00.005Z&state=QUEUED&state=RUNNING&submitter=s&tag=k%3Dv&until=1970-01-01T00%3A00%3A01Z&worker=w", ""},
		{"list everything", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.List(ctx, client.Filter{})
			return len(out.Runs) == 0, err
		}, answer(200, api.RunList{Runs: []api.Run{}}), "GET /base/v1/runs", ""},
		{"cancel", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Cancel(ctx, "c", "why")
			return out.State == api.StateSucceeded, err
		}, answer(202, ended), "POST /base/v1/runs/c/cancel", `{"reason":"why"}`},
		{"cancel many", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.CancelAll(ctx, api.CancelRuns{States: []api.CancelState{api.CancelQueued}, Reason: "why", Selection: api.Selection{Queue: "q", Until: time.Unix(0, 0).UTC(), DryRun: true}})
			return len(out.Cancelled) == 1 && out.Next == "n", err
		}, answer(200, api.CancelRunsResult{Cancelled: []api.Cancelled{{Cookie: "a", State: api.StateQueued}}, Next: "n"}),
			"POST /base/v1/runs/cancel", `{"states":["QUEUED"],"queue":"q","until":"1970-01-01T00:00:00Z","dry_run":true,"reason":"why"}`},
		{"requeue", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Requeue(ctx, "c")
			return out.Cookie == ended.Cookie, err
		}, answer(201, ended), "POST /base/v1/runs/c/requeue", ""},
		{"requeue many", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.RequeueAll(ctx, api.Requeue{States: []api.RequeueState{api.RequeueDead}, Selection: api.Selection{Queue: "q", Since: time.Unix(0, 0).UTC(), DryRun: true}})
			return len(out.Requeued) == 1 && out.Next == "n", err
		}, answer(200, api.RequeueResult{Requeued: []api.Requeued{{From: "a", Cookie: "b"}}, Next: "n"}),
			"POST /base/v1/runs/requeue", `{"states":["DEAD"],"queue":"q","since":"1970-01-01T00:00:00Z","dry_run":true}`},
		{"workers", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Workers(ctx)
			return len(out) == 1, err
		}, answer(200, api.WorkerList{Workers: []api.Worker{{ID: "w"}}}), "GET /base/v1/workers", ""},
		{"shut down", func(ctx context.Context, c *client.Client) (any, error) { return true, c.Shutdown(ctx, "w") },
			empty(202), "POST /base/v1/workers/w/shutdown", ""},
		{"a name is one segment of the path", func(ctx context.Context, c *client.Client) (any, error) { return true, c.Shutdown(ctx, "w/../x") },
			empty(202), "POST /base/v1/workers/w%2F..%2Fx/shutdown", ""},
		{"queues", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Queues(ctx)
			return len(out) == 1, err
		}, answer(200, api.QueueList{Queues: []api.QueueStats{{Queue: "q"}}}), "GET /base/v1/queues", ""},
		{"audit", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Audit(ctx, client.AuditFilter{Actor: "a b", Action: api.AuditBackup, Target: "t", Since: time.Unix(0, 5e6), Limit: 5, Cursor: "n"})
			return len(out.Entries) == 1 && out.Next == "n", err
		}, answer(200, api.AuditList{Entries: []api.AuditEntry{{Actor: "a b"}}, Next: "n"}),
			"GET /base/v1/audit?action=backup&actor=a+b&cursor=n&limit=5&since=1970-01-01T00%3A00%3A00.005Z&target=t", ""},
		{"queue", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Queue(ctx, "q")
			return out.Demand == 2, err
		}, answer(200, api.QueueStats{Queue: "q", Demand: 2}), "GET /base/v1/queues/q", ""},
		{"register", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Register(ctx, api.Register{Name: "w", Capacity: 1})
			return out.Session == "s", err
		}, answer(201, api.Registered{WorkerID: "w", Session: "s", HoldMS: 1, LeaseMS: 1, RenewMS: 1}), "POST /base/v1/workers", `{"name":"w","capacity":1}`},
		{"poll", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Poll(ctx, "w", api.Poll{Session: "s", HoldMS: 1, Holding: held})
			return len(out) == 1, err
		}, answer(200, api.Packets{Packets: []api.Packet{{PacketType: api.PacketShutdown}}}),
			"POST /base/v1/workers/w/poll", `{"session":"s","hold_ms":1,"holding":[{"cookie":"c","fence":1}]}`},
		{"a poll that holds nothing says so", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Poll(ctx, "w", api.Poll{Session: "s", HoldMS: 1})
			return len(out) == 0, err
		}, empty(204), "POST /base/v1/workers/w/poll", `{"session":"s","hold_ms":1,"holding":[]}`},
		{"heartbeat", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.Heartbeat(ctx, "w", api.Heartbeat{Session: "s"})
			return len(out.Lost) == 1, err
		}, answer(200, api.Beat{Packets: []api.Packet{}, Lost: held}), "POST /base/v1/workers/w/heartbeat", `{"session":"s","holding":[]}`},
		{"results", func(ctx context.Context, c *client.Client) (any, error) {
			out, err := c.PostResults(ctx, "w", oneResult)
			return len(out) == 1, err
		}, answer(200, api.Verdicts{Verdicts: []api.Verdict{{Cookie: "c", Fence: 1, Verdict: api.VerdictAccepted}}}), "POST /base/v1/workers/w/results", `{"session":"s","results":[{"cookie":"c","fence":1,"rc":"OK"}]}`},
		{"events", func(ctx context.Context, c *client.Client) (any, error) {
			_, err := c.PostEvents(ctx, "w", api.Events{Session: "s", Events: []api.RunEvent{}})
			return true, err
		}, empty(202), "POST /base/v1/workers/w/events", `{"session":"s","events":[]}`},
		{"leave", func(ctx context.Context, c *client.Client) (any, error) { return true, c.Leave(ctx, "w", "s 1") },
			empty(204), "DELETE /base/v1/workers/w?session=s+1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, tt.answer)
				c := newClient(t, client.Config{URL: "http://pullrun.test/base/", UserAgent: "test/1", Transport: client.Transport{Dial: s.network.dial}})
				if ok, err := tt.call(t.Context(), c); err != nil || ok != true {
					t.Errorf("the answer did not arrive: %v, %v", ok, err)
				}
				r := s.seen()[0]
				if r.line != tt.line || r.body != tt.body {
					t.Errorf("sent\n got %s %s\nwant %s %s", r.line, r.body, tt.line, tt.body)
				}
				if kind := r.header.Get("Content-Type"); (kind == "application/json") != (tt.body != "") {
					t.Errorf("Content-Type %q with body %q", kind, tt.body)
				}
				if r.header.Get("User-Agent") != "test/1" || r.header.Get("Idempotency-Key") != "" {
					t.Errorf("headers %v, want the user agent and no Idempotency-Key", r.header)
				}
			})
		})
	}
}

// What the poller repeats at its own pace is sent once, whatever the client's
// patience.
func TestUpkeepIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *client.Client) error{
		"register": func(ctx context.Context, c *client.Client) error {
			_, err := c.Register(ctx, api.Register{})
			return err
		},
		"poll": func(ctx context.Context, c *client.Client) error { _, err := c.Poll(ctx, "w", api.Poll{}); return err },
		"heartbeat": func(ctx context.Context, c *client.Client) error {
			_, err := c.Heartbeat(ctx, "w", api.Heartbeat{})
			return err
		},
		"events": func(ctx context.Context, c *client.Client) error {
			_, err := c.PostEvents(ctx, "w", api.Events{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, problem(api.CodeUnavailable))
				err := call(t.Context(), s.client(t, client.Config{Retries: 5}))
				if api.CodeOf(err) != api.CodeUnavailable || len(s.seen()) != 1 {
					t.Errorf("%v after %d requests, want UNAVAILABLE after one", err, len(s.seen()))
				}
			})
		})
	}
}

func TestARegistrationWithoutTermsIsNone(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]api.Registered{
		"no session": {WorkerID: "w", HoldMS: 1, LeaseMS: 1, RenewMS: 1},
		"no worker":  {Session: "s", HoldMS: 1, LeaseMS: 1, RenewMS: 1},
		"no lease":   {WorkerID: "w", Session: "s", HoldMS: 1, RenewMS: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, answer(201, out))
				if _, err := s.client(t, client.Config{}).Register(t.Context(), api.Register{Name: "w"}); !client.Retryable(err) {
					t.Errorf("Register() = %v, want an error that may be retried", err)
				}
			})
		})
	}
}

func TestHeldCallsMayTakeTheirTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		call func(context.Context, *client.Client) error
		want time.Duration
	}{
		"a poll has its hold and 10 s": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Poll(ctx, "w", api.Poll{HoldMS: 25_000})
			return err
		}, 35 * time.Second},
		"a read has its wait and 10 s": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Get(ctx, "c", 20*time.Second)
			return err
		}, 30 * time.Second},
		"a read waits no longer than the server will": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Get(ctx, "c", time.Hour)
			return err
		}, 70 * time.Second},
		"a heartbeat has 10 s": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Heartbeat(ctx, "w", api.Heartbeat{})
			return err
		}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, hang)
				began := time.Now()
				err := tt.call(t.Context(), s.client(t, client.Config{Timeout: time.Second}))
				if took := time.Since(began); !client.Retryable(err) || took != tt.want {
					t.Errorf("given up after %s with %v, want %s", took, err, tt.want)
				}
			})
		})
	}
}

func TestAnAnswerThatIsTooLargeIsGivenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 64 MiB")
	}
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for i := range chunk {
				chunk[i] = ' '
			}
			for range 65 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		err := submit(t.Context(), s.client(t, client.Config{}))
		if want := "read the answer: it is larger than 67108864 bytes"; !has(err, want) {
			t.Errorf("Submit() = %v, want %s", err, want)
		}
	})
}
