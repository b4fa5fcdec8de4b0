package outbox_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/manager/outbox"
)

// written is a log of four records: three results, and that the first is judged.
// ends are where they end.
func written(t *testing.T) (raw []byte, ends []int) {
	t.Helper()
	dir := t.TempDir()
	o := open(t, dir)
	read := func() {
		var err error
		if raw, err = os.ReadFile(filepath.Join(dir, "results")); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(raw))
	}
	for _, cookie := range []string{"a", "b", "c"} {
		put(t, o, entry(cookie, `"`+cookie+`"`))
		read()
	}
	o.Judged(key("a"))
	read()
	return raw, ends
}

// hasty is a disk that syncs nothing, for tests that open thousands.
type hasty struct{ outbox.System }

func (h hasty) Open(path string, flag int) (outbox.File, error) {
	f, err := h.System.Open(path, flag)
	return hastyFile{f}, err
}

func (hasty) SyncDir(string) error { return nil }

type hastyFile struct{ outbox.File }

func (hastyFile) Sync() error { return nil }

// reopened is what an outbox makes of a log.
func reopened(t *testing.T, raw []byte) (names []string, aside [][]byte, said string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "results"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	o, log := openOn(t, dir, hasty{})
	names = cookies(o)
	if rand.IntN(8) == 0 { // for some, that it goes on from there
		goesOn(t, dir, o)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range damaged(t, dir) {
		copied, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		aside = append(aside, copied)
	}
	return names, aside, log.String()
}

func goesOn(t *testing.T, dir string, o *outbox.Outbox) {
	t.Helper()
	names := cookies(o)
	put(t, o, entry("later", `1`))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	again, _ := openOn(t, dir, hasty{})
	if got, want := cookies(again), append(slices.Clone(names), "later"); !slices.Equal(got, want) {
		t.Errorf("%q wait after another put, want %q", got, want)
	}
}

func TestATornTailIsCut(t *testing.T) {
	t.Parallel()
	raw, ends := written(t)
	states := [][]string{{}, {"a"}, {"a", "b"}, {"a", "b", "c"}, {"b", "c"}}
	for n := range len(raw) + 1 {
		whole := 0
		for whole < len(ends) && ends[whole] <= n {
			whole++
		}
		for how, tail := range map[string][]byte{"cut": nil, "zeros": make([]byte, len(raw)-n)} {
			if how == "zeros" && !slices.Contains(append(ends, 0), n) {
				continue // that is a record of which a part is missing
			}
			got, aside, said := reopened(t, slices.Concat(raw[:n], tail))
			if !slices.Equal(got, states[whole]) || len(aside) > 0 || said != "" {
				t.Fatalf("%s at byte %d: %q wait, %d files set aside, want %q and none\n%s", how, n, got, len(aside), states[whole], said)
			}
		}
	}
}

func TestDamageIsSetAside(t *testing.T) {
	t.Parallel()
	raw, ends := written(t)
	for n := range raw {
		hit := 0
		for ends[hit] <= n {
			hit++
		}
		want := [][]string{{"b", "c"}, {"c"}, {"b"}, {"a", "b", "c"}}[hit]
		flipped := bytes.Clone(raw)
		flipped[n] ^= 1 << (n % 8)
		got, aside, said := reopened(t, flipped)
		if !slices.Equal(got, want) {
			t.Fatalf("a flipped bit in byte %d, of record %d: %q wait, want %q", n, hit, got, want)
		}
		if len(aside) != 1 || !bytes.Equal(aside[0], flipped) || !strings.Contains(said, "the outbox is damaged") {
			t.Fatalf("a flipped bit in byte %d: %d files set aside, want one, as it was, and a word about it\n%s", n, len(aside), said)
		}
	}
}

func TestDamageIsNotForgottenOverDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n := range 3 {
		if err := os.WriteFile(filepath.Join(dir, "results"), fmt.Append(nil, "this is no log, ", n), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := open(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := damaged(t, dir); len(got) != 3 {
		t.Errorf("set aside %q, want three files", got)
	}
}
