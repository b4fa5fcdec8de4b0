package outbox_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/manager/outbox"
)

const unknown = "results.unknown"

// What is set aside is in the outbox no more, and comes back when its file takes
// the place of the log or is appended to it.
func TestWhatIsSetAsideComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := open(t, dir)
	put(t, o, entry("a", `1`), entry("b", `2`), entry("c", `3`))
	for _, cookie := range []string{"a", "c"} {
		file, err := o.SetAside(key(cookie))
		if want := filepath.Join(dir, unknown); err != nil || file != want {
			t.Fatalf("SetAside(%s) = %q, %v, want %q", cookie, file, err, want)
		}
	}
	wantCookies(t, o, "b")
	if state, err := outbox.Inspect(dir); err != nil || state.Results != 1 || filepath.Base(state.Unknown) != unknown {
		t.Errorf("Inspect() = %+v, %v, want one result, and the file", state, err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "results"))
	if err != nil {
		t.Fatal(err)
	}
	aside, err := os.ReadFile(filepath.Join(dir, unknown))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "results"), slices.Concat(log, aside), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCookies(t, open(t, dir), "b", "a", "c")
}

// What is set aside is bounded, and what finds no room stays where it is.
func TestWhatIsSetAsideIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, unknown), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := outbox.Open(outbox.Config{Dir: dir, Max: 1000}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() }) // it is the test's end
	put(t, o, entry("a", `1`))
	if _, err := o.SetAside(key("a")); err == nil || !strings.Contains(err.Error(), unknown) || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("SetAside() = %v, want that there is no room, and where", err)
	}
	wantCookies(t, o, "a")
}

// Whatever fails while results are set aside, and wherever the power goes, they
// are in one of the two places.
func TestSettingAsideLosesNothing(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		dir := t.TempDir()
		d := &faulty{err: syscall.EIO}
		o, _ := openOn(t, dir, d)
		put(t, o, entry("a", `1`), entry("b", `2`))
		if _, err := o.SetAside(key("a")); err != nil {
			t.Fatal(err)
		}
		before := d.ops
		d.from, d.to = before+n, before+n
		_, failed := o.SetAside(key("b"))
		if failed != nil && !errors.Is(failed, syscall.EIO) {
			t.Fatal(failed)
		}
		if failed != nil {
			wantCookies(t, o, "b")
		}
		over := d.ops < d.from
		_ = o.Close() // it may not trust its file any more
		d.cut(t)
		there := cookies(open(t, dir))
		raw, err := os.ReadFile(filepath.Join(dir, unknown))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(there, "b") && !strings.Contains(string(raw), `"cookie":"b"`) || !strings.Contains(string(raw), `"cookie":"a"`) {
			t.Errorf("operation %d failed (%v): %q wait, and %q is set aside, want a and b among them", n, failed, there, raw)
		}
		if over {
			if n < 6 {
				t.Errorf("only %d operations were there to fail", n)
			}
			return
		}
	}
}
