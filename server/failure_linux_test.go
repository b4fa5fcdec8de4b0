package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// A store whose disk fails takes no more writes: the server says so to whoever
// asks, so that a load balancer looks elsewhere, and ends.
func TestFailedStore(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	path := filepath.Join(t.TempDir(), "runs.db")
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.Context(), "sqlite://"+path, store.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", MaxBody: 1 << 10, MaxAttempts: 1}, st, log)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1) // Run sends its end
	go func() { ended <- s.Run(t.Context()) }()
	front := httptest.NewServer(s.Handler()) // since its own is closed when the store fails
	defer front.Close()
	client := http.Client{Transport: checked{t: t, next: front.Client().Transport}}
	call := func(method, path, body string, want int, code api.Code) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, front.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		a, err := (&world{client: &client}).send(r)
		if err != nil || a.status != want || a.problem() != code {
			t.Errorf("%s %s = %d %s, %v, want %d %s", method, path, a.status, a.body, err, want, code)
		}
	}
	call("GET", "/readyz", "", 200, "")
	call("POST", "/v1/runs", `{"pipeline":"p","cookie":"a"}`, 201, "")
	failWrites(t, path+"-wal")
	call("POST", "/v1/runs", `{"pipeline":"p","cookie":"b"}`, 503, api.CodeUnavailable)
	call("GET", "/readyz", "", 503, api.CodeUnavailable)
	call("GET", "/livez", "", 200, "")
	call("GET", "/v1/runs/a", "", 200, "")
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the store cannot be trusted any more") {
		t.Errorf("Run() = %v, want it to say that the store has failed", err)
	}
}

// failWrites puts descriptors that only read in the place of this process's own
// of a file.
func failWrites(t *testing.T, path string) {
	t.Helper()
	const table = "/proc/self/fd"
	list, err := os.ReadDir(table)
	if err != nil {
		t.Fatal(err)
	}
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	failed := 0
	for _, entry := range list {
		fd, err := strconv.Atoi(entry.Name())
		if target, linkErr := os.Readlink(filepath.Join(table, entry.Name())); err != nil || linkErr != nil || target != path || fd == int(readOnly.Fd()) {
			continue
		}
		if err := syscall.Dup3(int(readOnly.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		failed++
	}
	if failed == 0 {
		t.Fatalf("this process does not have %s open", path)
	}
}
