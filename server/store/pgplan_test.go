package store

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// openPostgres opens a fresh database and a second connection like the one that
// writes.
func openPostgres(t *testing.T) (*Store, *pgx.Conn) {
	t.Helper()
	storetest.Only(t, storetest.Postgres)
	s, _ := openTest(t, Options{})
	c, err := s.dialect.(*postgres).dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) }) // nothing is under way
	return s, c
}

// TestPostgresPlans holds that no statement of a store in use has to read a
// table from end to end. With sequential scans disabled, PostgreSQL does so only
// where no index helps.
func TestPostgresPlans(t *testing.T) {
	t.Parallel()
	s, c := openPostgres(t)
	everyCall(t, s)
	big := regexp.MustCompile(`Seq Scan on (runs|variables|results|attempts|events|activity|late|tags)\b.*`)
	seen := 0
	s.dialect.(*postgres).texts.texts.Range(func(_, value any) bool {
		text := strings.TrimSpace(value.(string))
		if !regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|WITH)\s`).MatchString(text) || strings.Contains(text, "schema_versions") {
			return true
		}
		seen++
		if found := big.FindString(explainGeneric(t, c, text)); found != "" {
			t.Errorf("%s: plan has %q", text, found)
		}
		return true
	})
	if seen < 30 {
		t.Errorf("only %d statements were seen", seen)
	}
}

// TestPostgresPlansForFew holds that what an actor did, and lists of runs, are read by
// the index made for them, also where PostgreSQL knows of few values that have much.
func TestPostgresPlansForFew(t *testing.T) {
	t.Parallel()
	s, c := openPostgres(t)
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("first")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Exec(t.Context(), `INSERT INTO audit (at, actor, action, target, detail)
		SELECT g, 'often', 'cancel', 't' || g, '' FROM generate_series(1, 20000) g; ANALYZE audit;
		INSERT INTO runs OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(r, jsonb_build_object('seq', r.seq + g, 'cookie', 't' || g, 'submitter', 'often', 'state', (ARRAY[1, 4, 5])[1 + g % 3]))).*
		FROM runs r, generate_series(1, 20000) g; ANALYZE runs;
		INSERT INTO tags SELECT 'often', 'x', g FROM generate_series(1, 20000) g; ANALYZE tags`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Audit(t.Context(), AuditFilter{Actor: "seldom"}, AuditCursor{}, 50); err != nil {
		t.Fatal(err)
	}
	failed := []State{Failed, Cancelled, TimedOut, Dead}
	texts := map[string]string{} // with the index to be used
	for _, tt := range []struct {
		filter Filter
		want   string
	}{
		{Filter{Submitter: "seldom"}, "runs_submitter"},
		{Filter{Submitter: "seldom", States: failed}, "runs_failed_submitter"},
		{Filter{Worker: "seldom", States: []State{Running}}, "runs_leased"},
		{Filter{Worker: "seldom", States: []State{Succeeded}}, "runs_succeeded_worker"},
		{Filter{Worker: "seldom", States: failed}, "runs_failed_worker"},
		{Filter{States: []State{Running}}, "runs_leased"},
		{Filter{Tags: map[string]string{"seldom": "x"}, rare: "seldom"}, "tags_pkey"},
		{Filter{Tags: map[string]string{"seldom": "x"}, rare: "seldom", Queue: "q", States: []State{Succeeded}}, "tags_pkey"},
		{Filter{Tags: map[string]string{"often": "x"}, Queue: "q", States: []State{Succeeded}}, "runs_succeeded"},
		{Filter{States: []State{Scheduled}}, "runs_scheduled"},
		{Filter{States: []State{Queued}}, "runs_queued"},
		{Filter{Pipeline: "seldom", States: []State{Queued}}, "runs_blocked"},
		{Filter{Pipeline: "seldom", States: []State{Succeeded}}, "runs_succeeded"},
		{Filter{Queue: "seldom", States: []State{Succeeded}}, "runs_succeeded"},
		{Filter{Pipeline: "seldom", States: []State{Failed}}, "runs_failed_route"},
		{Filter{Queue: "seldom", States: failed, Latest: true}, "runs_failed_route"},
	} {
		query, _ := tt.filter.sql(s.dialect.among, 0, 0, 50)
		texts[s.dialect.(*postgres).texts.of(query)] = tt.want
	}
	s.dialect.(*postgres).texts.texts.Range(func(_, value any) bool {
		if text := value.(string); strings.Contains(text, "(actor, id) <") {
			texts[text] = "audit_actor"
		} else if strings.Contains(text, "(submitter, seq) <") {
			texts[text] = "runs_submitter"
		}
		return true
	})
	for text, index := range texts {
		if plan := explainGeneric(t, c, text); !strings.Contains(plan, "using "+index+" on ") {
			t.Errorf("%s: plan is\n%s\nwant %s", text, plan, index)
		}
	}
	if len(texts) != 18 {
		t.Errorf("%d statements were seen, want 18", len(texts))
	}
}

// explainGeneric returns the plan that a statement has whatever its arguments.
func explainGeneric(t *testing.T, c *pgx.Conn, text string) string {
	t.Helper()
	args := 0
	for i := 1; strings.Contains(text, fmt.Sprint("$", i)); i++ {
		args = i
	}
	call := "p"
	if args > 0 {
		call = "p(" + strings.TrimSuffix(strings.Repeat("NULL, ", args), ", ") + ")"
	}
	results, err := c.PgConn().Exec(t.Context(), "PREPARE p AS "+text+"; EXPLAIN EXECUTE "+call+"; DEALLOCATE p").ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var plan []string
	for _, row := range results[1].Rows {
		plan = append(plan, string(row[0]))
	}
	return strings.Join(plan, "\n")
}

// TestPinnedHorizon has somebody's long transaction keep PostgreSQL from
// vacuuming. A claim from the cursor does not walk over the runs that have left
// the queue since, as one from the beginning has to.
func TestPinnedHorizon(t *testing.T) {
	t.Parallel()
	s, c := openPostgres(t)
	pin, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pin.Exec(t.Context(), `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM runs`); err != nil {
		t.Fatal(err)
	}
	const rounds, each = 20, 25
	now := scriptStart
	if _, err := s.Register(t.Context(), now, NewSession{Worker: "w", Session: "s", Capacity: each, Queues: []string{"q"}, Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range each {
			wg.Go(func() {
				if _, _, err := s.Submit(t.Context(), now, newRun(fmt.Sprint(round, "-", i))); err != nil {
					t.Errorf("Submit() = %v", err)
				}
			})
		}
		wg.Wait()
		out, err := s.Poll(t.Context(), now, PollIn{Worker: "w", Session: "s", Max: each})
		if err != nil || len(out.Offers) != each {
			t.Fatalf("Poll() has %d offers, %v", len(out.Offers), err)
		}
		var results []Result
		for _, o := range out.Offers {
			results = append(results, Result{Cookie: o.Run.Cookie, Fence: o.Run.Fence, Worker: "w", RC: "OK"})
		}
		if _, _, err := s.Finish(t.Context(), now, results); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Submit(t.Context(), now, newRun("last")); err != nil {
		t.Fatal(err)
	}
	var id, cursor int64
	if _, err := write(t.Context(), s.writer, now, func(t *tx) (int, error) {
		for _, r := range t.w.routes.byID {
			id, cursor = r.id, r.next
		}
		return 0, nil
	}); err != nil {
		t.Fatal(err)
	}
	from := func(seq int64) int { return touched(t, s, id, seq) }
	if near, far := from(cursor), from(0); near > 20 || far < 2*near {
		t.Errorf("a claim touches %d pages from the cursor and %d from the beginning, want few and many more", near, far)
	}
}

// touched runs the store's claim from a run's number on, in a transaction that
// is taken back, and returns how many pages it looked at.
func touched(t *testing.T, s *Store, route, seq int64) int {
	t.Helper()
	claim := ""
	s.dialect.(*postgres).texts.texts.Range(func(_, value any) bool {
		if text := value.(string); strings.Contains(text, "r.seq >= $2 ORDER BY r.seq LIMIT") {
			claim = text
		}
		return true
	})
	if claim == "" {
		t.Fatal("no statement claims")
	}
	claim = strings.NewReplacer("$1", fmt.Sprint(route), "$2", fmt.Sprint(seq), "$3", "10", "$4", fmt.Sprint(inline)).Replace(claim)
	c, err := s.dialect.(*postgres).dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context())) // takes it back
	if _, err := c.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	var raw []byte
	if err := c.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+claim).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	if err := json.Unmarshal(raw, &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan.Hit + plans[0].Plan.Read
}
