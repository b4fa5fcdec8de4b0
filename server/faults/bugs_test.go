package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// A bug is a change of the store that breaks a promise. Those of a kind that
// callers would not see, since the database refuses what follows, are none.
type bug struct {
	name     string
	file     string // from server/store
	old, new string // old stands there once
	points   []string
	rare     bool // only when the tests are long
}

var bugs = []bug{
	{
		name: "the fence is not compared", file: "state.go",
		old: `(!r.State.Leased() || e.fence != r.Fence)`, new: `!r.State.Leased()`,
		points: []string{"finish.after", "offer.after", "expire.after"},
	},
	{
		name: "a stale result is accepted", file: "finish.go",
		old: `return Stale, t.insertLate`, new: `return Accepted, t.insertLate`,
		points: []string{"finish.after", "expire.after"},
	},
	{
		name: "callers are told before the commit", file: "writer.go",
		old: `	w.points.before()
`, new: `	for i, op := range batch {
		op.done <- errs[i]
	}
	time.Sleep(10 * time.Millisecond)
	w.points.before()
`,
		points: []string{"submit.before", "finish.before", "cancel.before"},
	},
	{
		name: "a cancellation that comes early leaves no trace", file: "moves.go",
		old: `	m.CancelAt, m.CancelBy, m.CancelReason = m.now, e.by, e.reason
`, new: `	if !m.State.Leased() {
		return false
	}
	m.CancelAt, m.CancelBy, m.CancelReason = m.now, e.by, e.reason
`,
		points: []string{"cancel.after", "offer.after"},
	},
	{
		name: "every run is given a slot", file: "moves.go", rare: true,
		old: ` || e.held >= m.Concurrency.Limit`, new: ``,
		points: []string{"grant.after", "finish.after"},
	},
	{
		name: "a claim is not recorded", file: "moves.go", rare: true,
		old: `	m.ClaimedAt = m.now
`, new: ``,
		points: []string{"claim.after", "expire.after", "expire.after"},
	},
	{
		name: "a cancelled run whose worker is lost is queued again", file: "moves.go", rare: true,
		old: `	case !m.CancelAt.IsZero():
		m.endCancelled()
	case m.passed(m.AcceptedAt`, new: `	case m.passed(m.AcceptedAt`,
		points: []string{"cancel.after", "expire.after", "expire.after"},
	},
	{
		name: "a lost worker keeps its runs", file: "sweep.go", rare: true,
		old: `if _, _, err := t.moveLease(l, event{kind: evExpire}); err != nil {`, new: `if _ = l; false {`,
		points: []string{"sweep.after", "finish.after"},
	},
}

// TestTheCheckNoticesBugs gives servers with a bug to the load and the check that
// the true one passes.
func TestTheCheckNoticesBugs(t *testing.T) {
	storetest.Only(t, storetest.SQLite)
	t.Parallel()
	for _, b := range bugs {
		t.Run(strings.ReplaceAll(b.name, " ", "_"), func(t *testing.T) {
			if b.rare && !long() {
				t.Skip("PULLRUN_TEST_LONG is not set")
			}
			t.Parallel()
			seed := newSeed(t)
			binary := b.build(t, buildFlags...)
			for try := range 5 { // what has to coincide may not do so at once
				url := storetest.URL(t)
				var roles []role
				for _, point := range b.points {
					roles = append(roles, role{Store: url, Point: point, Nth: 15})
				}
				if problems := killing(t, binary, seed+uint64(try), roles).problems(); len(problems) > 0 {
					t.Logf("try %d: %d runs; the first: %s", try+1, len(problems), problems[0])
					return
				}
			}
			t.Error("nothing was noticed")
		})
	}
}

// build builds this test binary with the bug in it.
func (b bug) build(t *testing.T, flags ...string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("../store", b.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), b.old); n != 1 {
		t.Fatalf("%s has %d times what the bug is to change: bring this test up to date with\n%s", file, n, b.old)
	}
	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, filepath.Base(b.file)), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "server")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		changed: strings.Replace(string(source), b.old, b.new, 1), overlay: string(list),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compile(t, binary, append([]string{"-overlay", overlay}, flags...)...)
	return binary
}

// compile builds this test binary anew, with flags.
func compile(t *testing.T, binary string, flags ...string) {
	t.Helper()
	build := exec.Command("go", slices.Concat([]string{"test", "-c", "-vet=off", "-o", binary}, flags, []string{"."})...)
	if !slices.Contains(flags, "-race") { // as the program itself is built, so that what is compiled serves both
		build.Args = slices.Insert(build.Args, 3, "-trimpath")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("build the tests with %q: %w\n%s", flags, err, out))
	}
}
