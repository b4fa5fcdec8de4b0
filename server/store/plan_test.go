package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// TestPlans holds that no statement of a store in use reads a table from end to
// end, as one does that repeats a partial index's predicate in other words.
func TestPlans(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	s, _ := openTest(t, Options{})
	everyCall(t, s)
	seen := 0
	for _, query := range statements(s) {
		verb, _, _ := strings.Cut(strings.TrimSpace(query), " ")
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, strings.TrimSpace(verb)) {
			continue
		}
		seen++
		for _, step := range explain(t, s, query) {
			big := regexp.MustCompile(`^SCAN (r|runs|variables|results|attempts|events|activity|late|tags|t)\b`).MatchString(step)
			if big && !strings.Contains(step, "USING") {
				t.Errorf("%s: plan has %q", query, step)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d statements were seen", seen)
	}
}

// TestIndexes holds that the statements that run most use the index made for
// them. The fragments are looked up among the statements of a store in use.
func TestIndexes(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	s, _ := openTest(t, Options{})
	everyCall(t, s)
	statements := statements(s)
	for _, tt := range []struct{ fragment, want string }{
		{"r.state = 1 AND r.blocked = 0 AND r.seq >= ?2", "runs_queued (route=? AND seq>?)"},
		{"worker = ?1 AND state IN (2, 3)", "runs_leased (worker=?)"},
		{"r.idempotency_key <> ''", "runs_key (submitter=? AND idempotency_key=?)"},
		{"AND due <= ?1", "runs_due (due>? AND due<?)"},
		{"SELECT due FROM runs", "runs_due (due>?)"},
		{"expires_at <= ?1 ORDER BY", "sessions_expiry (expires_at<?)"},
		{"state > 3 AND finished_at < ?2", "COVERING INDEX runs_ended (state=? AND finished_at<?)"},
		{"state > 3 ORDER BY finished_at DESC", "COVERING INDEX runs_ended (state=?)"},
		{"(submitter, seq) < (?3, ?4) ORDER BY", "runs_submitter (submitter>? AND submitter<?)"},
		{"WHERE (r.submitter, r.seq) >= ", "runs_submitter (submitter>? AND submitter<?)"},
		{"(actor, id) < (?3, ?4) ORDER BY", "audit_actor (actor>? AND actor<?)"},
		{"q.used_at < ?1", "COVERING INDEX runs_succeeded (route=?)"},
		{"q.used_at < ?1", "INDEX runs_failed_route (route=?)"},
		{"AND r.version = ?", "USING INTEGER PRIMARY KEY (rowid=?)"},
		{"r.state > 4 AND CAST(r.state AS BIGINT) IN (5, 8) ORDER BY", "runs_failed"},
		{"q.queue = ?1 AND q.pipeline = ?2", "routes_queue (queue=?)"},
		{"q.queue = ?1 AND q.pipeline = ?2", "runs_scheduled (route>? AND route<?)"},
		{"q.queue = ?1 AND q.pipeline = ?2", "runs_queued (route>? AND route<?)"},
		{"q.queue = ?1 AND q.pipeline = ?2", "runs_blocked (route>? AND route<?)"},
		{"q.queue = ?1 AND q.pipeline = ?2", "runs_leased"},
		{"q.queue = ?1 AND q.pipeline = ?2", "runs_succeeded (route>? AND route<?)"},
		{"q.queue = ?1 AND q.pipeline = ?2", "runs_failed_route (route>? AND route<?)"},
		{"(r.worker, r.seq) < ", "runs_leased (worker=?)"},
		{"(r.worker, r.seq) < ", "runs_succeeded_worker (worker>? AND worker<?)"},
		{"(r.worker, r.seq) < ", "runs_failed_worker (worker>? AND worker<?)"},
		{"r.state > 4 AND (r.submitter, r.seq) >= ", "runs_failed_submitter (submitter>? AND submitter<?)"},
		{"count(*) FROM runs WHERE concurrency_key", "runs_key_live (concurrency_key=? AND blocked=? AND state=?)"},
		{"AND blocked = 1 AND state = 1", "runs_key_live (concurrency_key=? AND blocked=? AND state=?)"},
		{"AND cancel_at = 0 AND seq <> ?2", "runs_key_live (concurrency_key=?)"},
		{"q.priority >= ?2", "COVERING INDEX runs_queued (route>?)"},
		{"q.priority >= ?2", "COVERING INDEX runs_queued (route=? AND seq<?)"},
		{"(t.name, t.value, t.run) >= (?1, ?2, ?3)", "PRIMARY KEY ((name,value,run)>(?,?,?) AND (name,value,run)<(?,?,?))"},
		{"EXISTS (SELECT 1 FROM tags", "COVERING INDEX tags_run (run=? AND name=? AND value=?)"},
		{"blocked = 0  GROUP BY", "COVERING INDEX runs_queued"},
		{"blocked = 0  GROUP BY", "COVERING INDEX runs_key_live"},
		{"blocked = 0  GROUP BY", "COVERING INDEX runs_scheduled"},
		{"blocked = 0  GROUP BY", "INDEX runs_leased"},
		{"AS live", "COVERING INDEX runs_queued (route>?)"},
		{"AS live", "COVERING INDEX runs_key_live"},
		{"AS live", "COVERING INDEX runs_scheduled (route>?)"},
		{"AS live", "INDEX runs_leased"},
		{"WHERE id IN (\n", "COVERING INDEX runs_queued (route>?)"},
		{"blocked = 0 AND route IN", "COVERING INDEX runs_queued (route=?)"},
		{"blocked = 0 AND route IN", "COVERING INDEX runs_key_live"},
		{"blocked = 0 AND route IN", "COVERING INDEX runs_scheduled (route=?)"},
		{"blocked = 0 AND route IN", "INDEX runs_leased"},
		{"blocked = 0 AND route IN", "routes_queue (queue=?)"},
	} {
		i := slices.IndexFunc(statements, func(query string) bool { return strings.Contains(query, tt.fragment) })
		if i < 0 {
			t.Errorf("no statement has %q", tt.fragment)
			continue
		}
		if plan := strings.Join(explain(t, s, statements[i]), "\n"); !strings.Contains(plan, tt.want) {
			t.Errorf("%s: plan is\n%s\nwant %q", tt.fragment, plan, tt.want)
		}
	}
}

// everyCall uses the store in every way once.
func everyCall(t *testing.T, s *Store) {
	t.Helper()
	ctx := context.Background()
	use(ctx, s, scriptStart)
	tagged := newRun("tagged")
	tagged.Tags, tagged.IdempotencyKey = map[string]string{"a": "b"}, "k"
	again := tagged
	again.Cookie = "other"
	keyed := newRun("keyed")
	keyed.Concurrency = Concurrency{Key: "k", Limit: 1}
	older := keyed
	older.Cookie, older.Concurrency.Policy = "older", CancelOlder
	rejected := keyed
	rejected.Cookie, rejected.Concurrency.Policy = "rejected", Reject
	for _, call := range []func() error{
		func() error { _, _, err := s.Submit(ctx, scriptStart, tagged); return err },
		func() error { _, _, err := s.Submit(ctx, scriptStart, again); return err },
		func() error { _, _, err := s.Submit(ctx, scriptStart, keyed); return err },
		func() error { _, _, err := s.Submit(ctx, scriptStart, older); return err },
		func() error {
			if _, _, err := s.Submit(ctx, scriptStart, rejected); !errors.Is(err, ErrNoSlot) {
				return fmt.Errorf("Submit() of a run that does not wait = %w, want ErrNoSlot", err)
			}
			return nil
		},
		func() error { _, _, err := s.Cancel(ctx, scriptStart, "older", "", ""); return err },
		func() error {
			_, err := s.Register(ctx, scriptStart, NewSession{Worker: "w", Session: "s", Capacity: 9, Queues: []string{"q"}, Lease: time.Minute})
			return err
		},
		func() error {
			_, err := s.Poll(ctx, scriptStart, PollIn{Worker: "w", Session: "s", Max: 9})
			return err
		},
		func() error {
			_, err := s.Heartbeat(ctx, scriptStart, PollIn{Worker: "w", Session: "s", Holding: []Held{{Cookie: "tagged", Fence: 1}}})
			return err
		},
		func() error {
			_, _, err := s.Finish(ctx, scriptStart, []Result{{Cookie: "run-0", Fence: 9, Worker: "w"}})
			return err
		},
		func() error {
			_, err := s.AppendEvents(ctx, scriptStart, "w", manyEvents("tagged"))
			return err
		},
		func() error {
			return s.Advance(ctx, scriptStart, "w", []Event{{Cookie: "tagged", Fence: 1, No: 1}})
		},
		func() error { _, err := s.BeforeLast(ctx, "tagged", 10); return err },
		func() error { _, err := s.Activity(ctx, "tagged"); return err },
		func() error {
			_, _, err := s.Finish(ctx, scriptStart, []Result{{Cookie: "tagged", Fence: 1, Worker: "w", RC: "OK"}, {Cookie: "tagged", Fence: 1}})
			return err
		},
		func() error { _, _, err := s.Cancel(ctx, scriptStart, "tagged", "", ""); return err },
		func() error { return s.Shutdown(ctx, scriptStart, "w", "ann") },
		func() error { _, err := s.Leave(ctx, scriptStart, "w", "s"); return err },
		func() error { return s.Resume(ctx, scriptStart) },
		func() error { _, err := s.Sweep(ctx, scriptStart); return err },
		func() error {
			return purgeAll(ctx, s, everyState(Keep{Age: 1000 * time.Hour, Count: 1000}))
		},
		func() error { _, err := s.Get(ctx, "tagged"); return err },
		func() error { _, _, err := s.Requeue(ctx, scriptStart, "older", "ann", Trace{}); return err },
		func() error { _, _, err := s.Cancel(ctx, scriptStart, "older.requeue-1", "", ""); return err },
		func() error {
			_, _, err := s.Audit(ctx, AuditFilter{Actor: "ann"}, AuditCursor{}, 1)
			return err
		},
		func() error {
			_, _, err := s.List(ctx, Filter{Since: scriptStart, Until: scriptStart.Add(time.Hour)}, 0, 1)
			return err
		},
		func() error {
			_, _, err := s.Audit(ctx, AuditFilter{Actor: "ann", Action: ActionSubmit, Target: "older", Since: scriptStart}, AuditCursor{}, 1)
			return err
		},
		func() error { _, err := s.Waiting(ctx, scriptStart, &Run{State: Queued}); return err },
		func() error { _, err := s.position(ctx, &Run{State: Queued}, nil); return err },
		func() error { _, err := s.Waiting(ctx, scriptStart, &Run{State: Queued, Blocked: true}); return err },
		func() error { _, _, err := s.History(ctx, "tagged"); return err },
		func() error { _, err := s.Events(ctx, "tagged", 0, 1); return err },
		func() error { _, err := s.Workers(ctx, scriptStart); return err },
		func() error { _, err := s.HasSession(ctx, scriptStart, "w"); return err },
		func() error { _, err := s.Queues(ctx, scriptStart); return err },
		func() error { _, err := s.Queue(ctx, scriptStart, "q"); return err },
		func() error { _, _, err := s.List(ctx, Filter{States: []State{Failed, Dead}}, 0, 1); return err },
		func() error { _, err := s.LiveRoutes(ctx); return err },
		func() error { _, _, err := s.List(ctx, Filter{Pipeline: "p"}, 0, 1); return err },
		func() error { _, _, err := s.List(ctx, Filter{Queue: "q", Pipeline: "p"}, 0, 1); return err },
		func() error { _, _, err := s.List(ctx, Filter{Submitter: "ann"}, 0, 1); return err },
		func() error {
			_, _, err := s.List(ctx, Filter{Submitter: "ann", States: []State{Failed, Cancelled, TimedOut, Dead}}, 0, 1)
			return err
		},
		func() error { _, _, err := s.List(ctx, Filter{Worker: "w"}, 9, 1); return err },
		func() error { _, _, err := s.List(ctx, Filter{States: []State{Running}}, 9, 1); return err },
		func() error { _, _, err := s.List(ctx, Filter{States: []State{Scheduled, Queued}}, 9, 1); return err },
		func() error {
			_, _, err := s.List(ctx, Filter{States: []State{Failed}, Pipeline: "p"}, 9, 1)
			return err
		},
		func() error {
			_, _, err := s.List(ctx, Filter{Tags: map[string]string{"a": "b", "c": "d"}}, 0, 1)
			return err
		},
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
}

// everyState keeps runs in the same way, however they ended.
func everyState(keep Keep) Retention {
	r := Retention{Runs: map[State]Keep{}}
	for _, state := range ends {
		r.Runs[state] = keep
	}
	return r
}

// purgeAll purges what is outdated in a thousand hours.
func purgeAll(ctx context.Context, s *Store, keep Retention) error {
	now := scriptStart.Add(1000 * time.Hour)
	old, err := s.Outdated(ctx, now, keep)
	if err == nil {
		_, err = s.Purge(ctx, now, old, 100)
	}
	return err
}

// manyEvents are more than are kept of a run.
func manyEvents(cookie string) []Event {
	events := make([]Event, MaxEvents+1)
	for i := range events {
		events[i] = Event{Cookie: cookie, Fence: 1, No: int64(i + 1)}
	}
	return events
}

// TestPurgeLeavesNothing holds that no table keeps rows of a run that is gone.
func TestPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	everyCall(t, s)
	count := func(table string) (n int) {
		err := s.query(t.Context(), `SELECT count(*) FROM `+table, func(row scanner) error { return row.Scan(&n) })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	tables := []string{"runs", "variables", "results", "tags", "attempts", "events", "activity", "late"}
	for _, table := range tables {
		if count(table) == 0 {
			t.Errorf("table %s is empty to begin with", table)
		}
	}
	runs, _, err := s.List(t.Context(), Filter{}, 0, 100)
	for _, r := range runs { // some still wait
		if err == nil {
			_, _, err = s.Cancel(t.Context(), scriptStart, r.Cookie, "", "")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := purgeAll(t.Context(), s, everyState(Keep{Age: time.Second})); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if n := count(table); n != 0 {
			t.Errorf("table %s keeps %d rows", table, n)
		}
	}
}

func explain(t *testing.T, s *Store, query string) []string {
	t.Helper()
	var plan []string
	err := s.query(t.Context(), `EXPLAIN QUERY PLAN `+unlocked(query), func(row scanner) error {
		var a, b, c int
		var detail string
		err := row.Scan(&a, &b, &c, &detail)
		plan = append(plan, detail)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return plan
}

// statements returns what has been run on a file.
func statements(s *Store) []string {
	d := s.dialect.(*sqlite)
	return slices.Concat(slices.Collect(maps.Keys(s.writer.conn.(*sqliteConn).stmts)), slices.Collect(maps.Keys(d.stmts)))
}

// TestPlaceholders holds that every placeholder says its number, since SQLite
// numbers $N by first appearance and PostgreSQL by N.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	bare := regexp.MustCompile("`[^`]*(\\?[^0-9]|\\$[0-9])[^`]*`")
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || e.Name() == "list.go" || e.Name() == "bus.go" { // one numbers its own, the other speaks to PostgreSQL alone
			continue
		}
		text, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range bare.FindAllString(string(text), -1) {
			t.Errorf("%s: statement with a bare placeholder: %s", e.Name(), found)
		}
	}
}
