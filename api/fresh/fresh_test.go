package fresh_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api/fresh"
)

var errEmpty = errors.New("empty")

func join(files [][]byte) (string, error) {
	text := ""
	for _, f := range files {
		if len(f) == 0 {
			return "", errEmpty
		}
		text += string(f)
	}
	return text, nil
}

func TestValue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	clock := time.Now().Add(-time.Minute) // what is older is not read again
	write := func(path, text string) {
		t.Helper()
		clock = clock.Add(time.Second)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, clock, clock)); err != nil {
			t.Fatal(err)
		}
	}
	write(a, "a")
	if _, err := fresh.New(join, a, b); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("New() without a file = %v", err)
	}
	write(b, "")
	if _, err := fresh.New(join, a, b); !errors.Is(err, errEmpty) {
		t.Errorf("New() with files that do not parse = %v", err)
	}
	write(b, "b")
	v, err := fresh.New(join, a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := func(rule, value string, wantErr error) {
		t.Helper()
		if got, err := v.Get(); got != value || !errors.Is(err, wantErr) {
			t.Errorf("%s: Get() = %q, %v, want %q, %v", rule, got, err, value, wantErr)
		}
	}
	want("as it was read", "ab", nil)
	write(b, "c")
	want("a change of the same size is seen", "ac", nil)
	write(a, "")
	want("what cannot be used is reported", "ac", errEmpty)
	want("and that once", "ac", nil)
	write(a, "d")
	want("and is mended by the next change", "dc", nil)
	if err := os.Remove(b); err != nil {
		t.Fatal(err)
	}
	want("a file that has gone is reported", "dc", os.ErrNotExist)
	want("and that once", "dc", nil)
	write(b, "e")
	want("and read when it is back", "de", nil)
}

// File systems count time in steps: what is written twice within one has the same
// time, and may have the same size.
func TestAChangeWithinOneStepOfTheClock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	for _, age := range []time.Duration{0, time.Second} {
		at := time.Now().Add(-age)
		write := func(text string) {
			t.Helper()
			if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, at, at)); err != nil {
				t.Fatal(err)
			}
		}
		write("a")
		v, err := fresh.New(join, path)
		if err != nil {
			t.Fatal(err)
		}
		write("b")
		if got, err := v.Get(); got != "b" || err != nil {
			t.Errorf("Get() %v after both = %q, %v, want \"b\"", age, got, err)
		}
	}
}
