package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBulk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		bulk      *bulk
		one, many string
	}{
		{
			name: "what inserts takes values",
			bulk: newBulk(`INSERT INTO t (a, b, c) SELECT :a, 0, :bee FROM given WHERE true RETURNING a`, "bee text", "a bigint"),
			one:  `INSERT INTO t (a, b, c) VALUES (?2, 0, ?1) RETURNING a`,
			many: `INSERT INTO t (a, b, c) SELECT given.a, 0, given.bee FROM unnest(CAST(?1 AS text[]), CAST(?2 AS bigint[])) AS given (bee, a) WHERE true RETURNING a`,
		},
		{
			name: "what updates compares with each row",
			bulk: newBulk(`UPDATE t SET a = :a FROM given WHERE t.k = :k`, "a bytea", "k bigint"),
			one:  `UPDATE t SET a = ?1 WHERE t.k = ?2`,
			many: `UPDATE t SET a = given.a FROM unnest(CAST(?1 AS bytea[]), CAST(?2 AS bigint[])) AS given (a, k) WHERE t.k = given.k`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff([]string{tt.one, tt.many}, []string{tt.bulk.one, tt.bulk.many}); d != "" {
				t.Errorf("one and many: (-want +got)\n%s", d)
			}
		})
	}
}

func TestBulkIsSentInParts(t *testing.T) {
	t.Parallel()
	half := make([]byte, bulkBytes/2)
	for _, tt := range []struct {
		name string
		rows [][]any
		want []int
	}{
		{name: "few small rows go together", rows: slices.Repeat([][]any{{int64(1), "text"}}, 3), want: []int{3}},
		{name: "not too many at once", rows: slices.Repeat([][]any{{int64(1)}}, 2*bulkRows+1), want: []int{bulkRows, bulkRows, 1}},
		{name: "not too much at once", rows: slices.Repeat([][]any{{half}}, 5), want: []int{2, 2, 1}},
		{name: "what is too large goes alone", rows: [][]any{{"a"}, {make([]byte, bulkBytes+1)}, {"b"}}, want: []int{1, 1, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []int
			for _, part := range insertResult.parts(tt.rows) {
				got = append(got, len(part))
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("rows of each part: (-want +got)\n%s", d)
			}
		})
	}
}

// TestResultsOfOneBatch ends runs together whose results are null, absent, empty
// and long, and reads them back.
func TestResultsOfOneBatch(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	ctx := t.Context()
	bodies := [][]byte{nil, {}, []byte("null"), []byte(`"\u0000"`), bytes.Repeat([]byte("x"), 100_000)}
	if _, err := s.Register(ctx, scriptStart, NewSession{Worker: "w", Session: "s", Capacity: 9, Queues: []string{"q"}, Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	var results []Result
	for i, body := range bodies {
		n := newRun(fmt.Sprint(i))
		if _, _, err := s.Submit(ctx, scriptStart, n); err != nil {
			t.Fatal(err)
		}
		results = append(results, Result{Cookie: n.Cookie, Fence: 1, Worker: "w", RC: "OK", Error: "a\x00b", Result: body})
	}
	if out, err := s.Poll(ctx, scriptStart, PollIn{Worker: "w", Session: "s", Max: 9}); err != nil || len(out.Offers) != len(bodies) {
		t.Fatalf("Poll() = %d offers, %v, want %d", len(out.Offers), err, len(bodies))
	}
	verdicts, _, err := s.Finish(ctx, scriptStart, results)
	if d := cmp.Diff(make([]Verdict, len(bodies)), verdicts); err != nil || d != "" {
		t.Fatalf("Finish() = %v; (-want +got)\n%s", err, d)
	}
	for i, want := range bodies {
		r, err := s.Get(context.WithoutCancel(ctx), fmt.Sprint(i))
		if err != nil || !bytes.Equal(r.Result, want) || (r.Result == nil) != (want == nil) || r.Error != "a\uFFFDb" || len(r.Cookie) != 1 {
			t.Errorf("Get(%d) = %d bytes, nil %t, error %q, %v; want %d bytes, nil %t", i, len(r.Result), r.Result == nil, r.Error, err, len(want), want == nil)
		}
	}
	if verdicts, _, err := s.Finish(ctx, scriptStart, results); err != nil || slices.ContainsFunc(verdicts, func(v Verdict) bool { return v != Duplicate }) {
		t.Errorf("Finish() again = %v, %v, want duplicates", verdicts, err)
	}
}
