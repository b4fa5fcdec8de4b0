package outbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager/outbox"
)

const noLimit = 1 << 40

// entry is the result of one run, as a manager has it.
func entry(cookie, result string) outbox.Entry {
	return outbox.Entry{
		Packet:      api.Packet{PacketType: api.PacketRun, Cookie: cookie, Fence: 1, Pipeline: "p", Queue: "q", Attempt: 1},
		Result:      api.Result{Cookie: cookie, Fence: 1, RC: api.RCOK, Result: json.RawMessage(result)},
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

func key(cookie string) outbox.Key { return outbox.Key{Cookie: cookie, Fence: 1} }

// open opens the outbox of a directory until the test ends.
func open(t *testing.T, dir string) *outbox.Outbox {
	t.Helper()
	o, _ := openOn(t, dir, outbox.System{})
	return o
}

// openOn is open with a disk of the test's, and the log of what is said.
func openOn(t *testing.T, dir string, d outbox.Disk) (*outbox.Outbox, *bytes.Buffer) {
	t.Helper()
	said := new(bytes.Buffer)
	o, err := outbox.OpenOn(outbox.Config{Dir: dir, Max: noLimit}, d, slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() }) // again, as a rule
	return o, said
}

func put(t *testing.T, o *outbox.Outbox, entries ...outbox.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := o.Put(e); err != nil {
			t.Fatal(err)
		}
	}
}

// cookies names what waits.
func cookies(o *outbox.Outbox) []string {
	names := []string{}
	for _, e := range o.Entries() {
		names = append(names, e.Result.Cookie)
	}
	return names
}

func wantCookies(t *testing.T, o *outbox.Outbox, want ...string) {
	t.Helper()
	if got := cookies(o); !slices.Equal(got, want) {
		t.Errorf("%q wait, want %q", got, want)
	}
}

// damaged are the files that were set aside.
func damaged(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "results.damaged*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEntriesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "for it")
	o := open(t, dir)
	var want []outbox.Entry
	for i, result := range []string{`0`, `false`, `""`, `[]`, `null`, `{"a":"ü"}`} {
		e := entry(fmt.Sprint("c", i), result)
		want = append(want, e)
		e.Packet.Variables = json.RawMessage(`{"large":1}`)
		put(t, o, e)
	}
	failed := entry("failed", ``)
	failed.Result = api.Result{Cookie: "failed", Fence: 3, RC: api.RCProcessorException, Error: "no", Stacktrace: "p/1"}
	want = append(want, failed)
	put(t, o, failed)
	for range 2 {
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = open(t, dir)
		if diff := cmp.Diff(want, o.Entries()); diff != "" {
			t.Errorf("the entries differ (-want +got):\n%s", diff)
		}
	}
}

func TestWhatIsJudgedIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := open(t, dir)
	put(t, o, entry("a", `1`), entry("b", `2`), entry("c", `3`), entry("a", `4`))
	o.Judged(key("b"), key("never"))
	wantCookies(t, o, "c", "a")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, dir)
	wantCookies(t, o, "c", "a")
	if got := string(o.Entries()[1].Result.Result); got != "4" {
		t.Errorf("the result of a is %s, want the one that was put last", got)
	}
	o.Judged(key("a"), key("c"))
	wantCookies(t, o)
}

func TestFull(t *testing.T) {
	t.Parallel()
	o, err := outbox.Open(outbox.Config{Dir: t.TempDir(), Max: 1000}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	put(t, o, entry("a", `1`))
	if o.Full() {
		t.Error("Full() with one small result")
	}
	put(t, o, entry("b", `"`+strings.Repeat("x", 1000)+`"`))
	put(t, o, entry("c", `1`)) // taken all the same
	if !o.Full() {
		t.Error("not Full() beyond its size")
	}
	o.Judged(key("b"))
	if o.Full() {
		t.Error("Full() after the large result was judged")
	}
}

func TestTheLogStaysShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := open(t, dir)
	put(t, o, entry("stays", `1`))
	large := `"` + strings.Repeat("x", 10<<10) + `"`
	most := int64(0)
	for i := range 200 {
		cookie := fmt.Sprint("c", i)
		put(t, o, entry(cookie, large))
		o.Judged(key(cookie))
		info, err := os.Stat(filepath.Join(dir, "results"))
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, info.Size())
	}
	if most > 300<<10 {
		t.Errorf("the log grew to %d bytes, with one small result that waits", most)
	}
	wantCookies(t, o, "stays")
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "outbox")
	put(t, open(t, dir), entry("a", `1`))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoProcessesCannotHaveOneOutbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	_, err := outbox.Open(outbox.Config{Dir: dir, Max: noLimit}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "has another worker the same name or outbox.dir?") {
		t.Errorf("Open() of a directory that is in use = %v, want what is wrong and what to do", err)
	}
	put(t, first, entry("a", `1`))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantCookies(t, open(t, dir), "a")
}

func TestAfterCloseNothingIsTaken(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	for range 2 {
		if err := o.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	if o.Put(entry("a", `1`)) == nil {
		t.Error("Put() after Close() = nil")
	}
}

// gated is a disk whose first sync of an appended log waits.
type gated struct {
	outbox.System
	syncs atomic.Int64
	began chan struct{} // the first sync closes it
	open  chan struct{} // and waits for this
}

func (g *gated) Open(path string, flag int) (outbox.File, error) {
	f, err := g.System.Open(path, flag)
	return gatedFile{f, g, flag&os.O_APPEND != 0}, err
}

type gatedFile struct {
	outbox.File
	gated *gated
	log   bool
}

func (f gatedFile) Sync() error {
	if f.log && f.gated.syncs.Add(1) == 1 {
		close(f.gated.began)
		<-f.gated.open
	}
	return f.File.Sync()
}

func TestCallersShareASync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := &gated{began: make(chan struct{}), open: make(chan struct{})}
	o, _ := openOn(t, dir, g)
	const callers = 64
	var all sync.WaitGroup
	all.Go(func() { put(t, o, entry("first", `1`)) })
	<-g.began
	for i := range callers {
		all.Go(func() {
			for n := range 4 {
				if err := o.Put(entry(fmt.Sprintf("%d-%d", i, n), `1`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	close(g.open)
	all.Wait()
	if got := g.syncs.Load(); got > callers*2 {
		t.Errorf("%d results took %d syncs", callers*4+1, got)
	}
	if got := len(o.Entries()); got != callers*4+1 {
		t.Errorf("%d results wait, want %d", got, callers*4+1)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(open(t, dir).Entries()); got != callers*4+1 {
		t.Errorf("%d results are there again, want %d", got, callers*4+1)
	}
}

func TestTheDirectoryMustBeUsable(t *testing.T) {
	t.Parallel()
	taken := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := outbox.Open(outbox.Config{Dir: taken, Max: noLimit}, slog.New(slog.DiscardHandler))
	var path *fs.PathError
	if !errors.As(err, &path) || !strings.Contains(err.Error(), "outbox.dir") {
		t.Errorf("Open() of a file = %v, want an error of the path that names the setting", err)
	}
}

// Two databases may have given runs with the same cookie and fence.
func TestEntriesOfTwoDatabasesAreTwo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := open(t, dir)
	of := func(store, result string) outbox.Entry {
		e := entry("a", result)
		e.Result.Store = store
		return e
	}
	put(t, o, of("", `0`), of("one", `1`), of("two", `2`))
	o.Judged(key("a"), outbox.Key{Cookie: "a", Fence: 1, Store: "two"})
	for range 2 {
		if got := o.Entries(); len(got) != 1 || got[0].Result.Store != "one" || string(got[0].Result.Result) != "1" {
			t.Errorf("%+v wait, want the first's", got)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = open(t, dir)
	}
}
