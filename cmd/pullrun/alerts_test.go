package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// alertPatience covers the shortest lease and some rounds of Prometheus.
const alertPatience = 2 * patience

// A watcher is a real Prometheus with the rules of deploy, whose waits are a
// second.
type watcher struct {
	t    *testing.T
	addr string
	seen map[string]bool // alerts that have fired
}

func watchClosely(s *site, workers ...string) *watcher {
	s.t.Helper()
	t, program := s.t, wants(s.t, "prometheus", "prometheus")
	rules := readFile(t, filepath.Join(deployDir, "prometheus/rules.yml"))
	rules = regexp.MustCompile(`for: \d+m`).ReplaceAllString(rules, "for: 0s")
	rules = regexp.MustCompile(`> (600|120)\b`).ReplaceAllString(rules, "> 1")
	rules = strings.Replace(rules, "> 8000", "> 0", 1)
	s.write("rules.yml", rules)
	token := s.write("read_token", testToken)
	config := s.write("prometheus.yml", fmt.Sprintf(`
global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - { job_name: pullrun-server, authorization: { credentials_file: %s }, static_configs: [{ targets: [%q] }] }
  - { job_name: pullrun-worker, static_configs: [{ targets: [%s] }] }
`, token, s.addr, strings.Join(workers, ", ")))
	w := &watcher{t: t, addr: freeAddr(t, "127.0.0.1"), seen: make(map[string]bool)}
	p := startAs(t, nil, program, "--config.file="+config, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+w.addr)
	p.says("Server is ready to receive web requests")
	return w
}

// firing are the alerts that fire now.
func (w *watcher) firing() (names []string) {
	w.t.Helper()
	resp, err := http.Get("http://" + w.addr + "/api/v1/alerts")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			names = append(names, a.Labels["alertname"])
			w.seen[a.Labels["alertname"]] = true
		}
	}
	return names
}

// ask asks a query, as of now.
func (w *watcher) ask(query string) []oteltest.Sample {
	w.t.Helper()
	p := oteltest.Prometheus{URL: "http://" + w.addr}
	out, err := p.Query(w.t.Context(), query)
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return out
}

// fires waits until all of the alerts fire, and does something in between.
func (w *watcher) fires(meanwhile func(), alerts ...string) {
	w.t.Helper()
	patience := time.After(alertPatience)
	for {
		now := w.firing()
		if !slices.ContainsFunc(alerts, func(a string) bool { return !slices.Contains(now, a) }) {
			return
		}
		if meanwhile != nil {
			meanwhile()
		}
		select {
		case <-patience:
			w.t.Fatalf("firing are %v, want %v", now, alerts)
		case <-time.After(200 * time.Millisecond): // Prometheus tells nobody
		}
	}
}

// Each alert whose cause can be made in seconds fires when real processes bring
// it about. The others are in deploy/prometheus/rules_test.yml alone.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	nobody := "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + freeAddr(t, "127.0.0.1")
	s.extra = []string{"PULLRUN_LEASE=10s", "PULLRUN_RENEW=1s", "PULLRUN_HOLD=2s", nobody, "OTEL_EXPORTER_OTLP_TIMEOUT=200"}
	server := s.server()
	lost, kept, paused := freeAddr(t, "127.0.0.1"), freeAddr(t, "127.0.0.1"), freeAddr(t, "127.0.0.1")
	g := newGate(t)
	w := watchClosely(s, lost, kept, paused)

	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("lost"), MaxAttempts: 1})
	w.fires(nil, "PullrunNobodyListens", "PullrunQueueStuck", "PullrunWorkerDown", "PullrunManyCombinations")

	first := s.worker("lost", "--listen", lost)
	s.taken(run)
	first.kill()
	w.fires(nil, "PullrunLeasesExpire", "PullrunDeadLetters", "PullrunTelemetryDropped")

	s.worker("paused", "--listen", paused, "--limits-machine-memory", "1")
	s.worker("kept", "--listen", kept)
	w.fires(nil, "PullrunWorkerPaused")
	w.fires(func() { s.ended(s.submit(api.Submit{Pipeline: "boom"}).Cookie, api.StateFailed) }, "PullrunRunsFail")
	s.taken(s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("kept")}))
	server.kill()
	g.letGo()
	w.fires(nil, "PullrunServerDown", "PullrunWorkerLostContact", "PullrunWorkerNotReady", "PullrunResultsWait")

	s.forget()
	s.server() // which does not know the run
	w.fires(nil, "PullrunResultsLost")

	// These have tests of their own.
	w.seen["PullrunStoreFull"], w.seen["PullrunStoreSlow"] = true, true
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(readFile(t, filepath.Join(deployDir, "prometheus/rules.yml")), -1) {
		if name := alert[1]; !w.seen[name] {
			t.Errorf("%s has not fired", name)
		}
	}
}

// forget deletes the server's database, as a restore from an older backup would.
func (s *site) forget() {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "pullrun.db*"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("the database is %v, %v", files, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			s.t.Fatal(err)
		}
	}
}

// A server on a disk that has no room for its reserve says so. It takes root to
// have such a disk.
func TestTheAlertOfAFullDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system takes root")
	}
	s := newSite(t)
	disk := t.TempDir()
	server := startAs(t, []string{"PULLRUN_STORE=sqlite://" + filepath.Join(disk, "pullrun.db"), "PULLRUN_STORE_RESERVE=64MiB"},
		wants(t, "unshare", "util-linux"), "--mount", "sh", "-c", `mount -t tmpfs -o size=32m none "$0" && exec "$@"`,
		disk, program, "server", "--config", filepath.Join(s.dir, "server.yaml"))
	server.says(`"msg":"serving"`)
	watchClosely(s).fires(nil, "PullrunStoreFull")
}

// A server whose database makes it wait says so. The database is one where
// somebody else has what every commit needs, most of the time.
func TestTheAlertOfASlowStore(t *testing.T) {
	if only := os.Getenv("PULLRUN_TEST_STORE"); only != "" && only != storetest.Postgres {
		t.Skip("is about PostgreSQL")
	}
	t.Setenv("PULLRUN_TEST_STORE", storetest.Postgres)
	s := newSite(t)
	database := storetest.URL(t)
	s.extra = []string{"PULLRUN_STORE=" + database}
	s.server()
	other, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.WithoutCancel(t.Context()))
	watchClosely(s).fires(func() {
		tx, err := other.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `LOCK TABLE runs IN EXCLUSIVE MODE`); err != nil {
			t.Fatal(err)
		}
		var submitting sync.WaitGroup
		submitting.Go(func() { _, _ = s.client.Submit(t.Context(), api.Submit{Pipeline: "nothing"}, 0) }) // that it is slow is all that counts
		if _, err := tx.Exec(t.Context(), `SELECT pg_sleep(1.5)`); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		submitting.Wait()
	}, "PullrunStoreSlow")
}

// Every panel of the dashboard shows something when there have been runs of all
// kinds: Prometheus takes its queries, and they name what there is.
func TestTheDashboardShowsWhatHappens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.extra = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + oteltest.NewReceiver(t).URL}
	s.server()
	addr := freeAddr(t, "127.0.0.1")
	w := watchClosely(s, addr)
	s.worker("w", "--listen", addr)
	g := newGate(t)
	model := answering(t, `{"model": "m", "usage": {"prompt_tokens": 12, "completion_tokens": 3}}`)
	happen := func() {
		held := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("held")}).Cookie
		g.waits(t, 1)
		if _, err := s.client.Cancel(t.Context(), held, ""); err != nil {
			t.Fatal(err)
		}
		s.ended(held, api.StateCancelled)
		s.ended(s.submit(api.Submit{Pipeline: "hang", Variables: json.RawMessage(fmt.Sprintf(`{"url":%q}`, model))}).Cookie, api.StateSucceeded)
		s.ended(s.submit(api.Submit{Pipeline: "boom"}).Cookie, api.StateFailed)
	}
	fill := strings.NewReplacer("$queue", ".*", "$__rate_interval", "1m")
	missing := expressions(t)
	for patience := time.After(alertPatience); len(missing) > 0; {
		happen() // a rate wants two figures of a series
		missing = slices.DeleteFunc(missing, func(expr string) bool { return len(w.ask(fill.Replace(expr))) > 0 })
		select {
		case <-patience:
			t.Fatalf("these show nothing:\n%s", strings.Join(missing, "\n"))
		case <-time.After(200 * time.Millisecond): // Prometheus tells nobody
		}
	}
}
