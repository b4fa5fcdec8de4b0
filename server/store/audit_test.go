package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// audit writes the entries that f selects as action and target.
func (w *world) audit(f store.AuditFilter) string {
	w.t.Helper()
	entries, _, err := w.Audit(w.t.Context(), f, store.AuditCursor{}, 1000)
	if err != nil {
		w.t.Fatalf("Audit(%+v) = %v", f, err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%s %s", e.Action, e.Target))
	}
	return strings.Join(out, ", ")
}

func TestAuditSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.audit(store.AuditFilter{Since: t0}); got != "" {
		t.Errorf("audit of nothing = %q", got)
	}
	const n = 20
	for i := range n {
		w.now = t0.Add(time.Duration(i) * time.Hour)
		w.submit(fmt.Sprint("s", i))
		if _, _, err := w.Cancel(t.Context(), w.now.Add(time.Second), fmt.Sprint("s", i), "ann", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.now = t0.Add(10*time.Hour + time.Minute)
	w.purge(keepFor(5*time.Hour, store.Cancelled), 100) // so that numbers are missing
	for i := range n {
		var want []string
		for k := n - 1; k >= i; k-- {
			want = append(want, fmt.Sprintf("cancel s%d", k))
			if k >= 6 {
				want = append(want, fmt.Sprintf("submit s%d", k))
			}
		}
		since := t0.Add(time.Duration(i) * time.Hour)
		if got := w.audit(store.AuditFilter{Since: since}); got != strings.Join(want, ", ") {
			t.Errorf("audit since hour %d = %s, want %s", i, got, strings.Join(want, ", "))
		}
		if got := w.audit(store.AuditFilter{Since: since.Add(30 * time.Second)}); strings.Contains(got+",", fmt.Sprintf(" s%d,", i)) {
			t.Errorf("audit since half a minute after hour %d has what was before: %s", i, got)
		}
	}
}

func TestAuditIsPurged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 {
		w.now = t0.Add(time.Duration(i) * time.Hour)
		w.submit(fmt.Sprint(i))
		if _, _, err := w.Cancel(t.Context(), w.now, fmt.Sprint(i), "ann", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.purge(store.Retention{}, 100)
	if got, want := w.audit(store.AuditFilter{Action: store.ActionCancel}), "cancel 3, cancel 2, cancel 1, cancel 0"; got != want {
		t.Errorf("audit that is kept for ever = %s, want %s", got, want)
	}
	if got := w.purge(store.Retention{Audit: 90 * time.Minute}, 1); got != (store.Purged{Audit: 2}) {
		t.Errorf("purged %+v, want the two oldest entries", got)
	}
	if got, want := w.audit(store.AuditFilter{}), "cancel 3, submit 3, cancel 2, submit 2, submit 1, submit 0"; got != want {
		t.Errorf("audit = %s, want %s", got, want)
	}
}
