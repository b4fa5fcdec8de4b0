package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// A series is the name of a metric, as Prometheus has it, and its labels.
type series struct {
	name   string
	labels []string
}

// documented are the metrics of docs/metrics.md that are the server's or the
// worker's.
func documented(t *testing.T, whose string) map[string][]string {
	t.Helper()
	_, section, _ := strings.Cut(readFile(t, "../../docs/metrics.md"), "\n## "+whose+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	out := make(map[string][]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| .*? \\| .*? \\| (.*?) \\|").FindAllStringSubmatch(section, -1) {
		out[row[1]] = nil
		for _, label := range regexp.MustCompile("[a-z_.]+").FindAllString(row[2], -1) {
			out[row[1]] = append(out[row[1]], strings.ReplaceAll(label, ".", "_"))
		}
	}
	return out
}

// scraped are the series of a process that are ours.
func scraped(t *testing.T, url string) (all []series, text string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Accept", "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9,*/*;q=0.1") // of Prometheus 3
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("scrape %s: %d, %v\n%s", url, resp.StatusCode, err, raw)
	}
	histogram := make(map[string]bool)
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (\S+) histogram$`).FindAllStringSubmatch(string(raw), -1) {
		histogram[found[1]] = true
	}
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "pullrun") && !strings.HasPrefix(line, "cicd") && !strings.HasPrefix(line, "gen_ai") {
			continue
		}
		s := series{name: regexp.MustCompile(`^[a-z_]+`).FindString(line)}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(s.name, suffix); histogram[base] {
				s.name = base
			}
		}
		for _, found := range regexp.MustCompile(`[{,]([a-z_.]+)="`).FindAllStringSubmatch(line, -1) {
			if found[1] != "le" {
				s.labels = append(s.labels, found[1])
			}
		}
		all = append(all, s)
	}
	return all, string(raw)
}

// Real processes that have worked show what docs/metrics.md says, and nothing
// else, with the names that it says also to a Prometheus that takes others.
func TestProcessesShowTheMetricsOfTheDocs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	addr := freeAddr(t, "127.0.0.1")
	s.worker("w", "--listen", addr)
	g := newGate(t)
	g.letGo()
	s.ended(s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("a")}).Cookie, api.StateSucceeded)
	model := answering(t, `{"model": "m", "usage": {"prompt_tokens": 12, "completion_tokens": 3}}`)
	s.ended(s.submit(api.Submit{Pipeline: "hang", Variables: json.RawMessage(fmt.Sprintf(`{"url":%q}`, model))}).Cookie, api.StateSucceeded)
	s.ended(s.submit(api.Submit{Pipeline: "boom"}).Cookie, api.StateFailed)
	for whose, url := range map[string]string{"The server": "http://" + s.addr + "/metrics", "The worker": "http://" + addr + "/metrics"} {
		known := documented(t, whose)
		all, text := scraped(t, url)
		seen := make(map[string]bool)
		for _, got := range all {
			labels, ok := known[got.name]
			seen[got.name] = true
			if !ok || slices.ContainsFunc(got.labels, func(l string) bool { return !slices.Contains(labels, l) }) {
				t.Errorf("%s shows %s with the labels %v, docs/metrics.md has %v", whose, got.name, got.labels, labels)
			}
		}
		for name := range known {
			rare := strings.HasPrefix(name, "pullrun_cancel_")
			if !seen[name] && !rare {
				t.Errorf("%s does not show %s:\n%s", whose, name, text)
			}
		}
	}
}
