package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/pullrun/pullrun/configs"
)

const deployDir = "../../deploy"

func readFile(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Rules and dashboards name no metric and no label that docs/metrics.md does not
// list, and the dashboard shows every metric.
func TestTheDashboardAndTheRulesUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	docs := readFile(t, "../../docs/metrics.md")
	known := make(map[string]bool)
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| .*? \\| (.*?) \\|").FindAllStringSubmatch(docs, -1) {
		listed = append(listed, m[1])
		known[m[1]] = true
		if strings.HasPrefix(m[2], "histogram") {
			known[m[1]+"_bucket"], known[m[1]+"_sum"], known[m[1]+"_count"] = true, true, true
		}
	}
	for _, m := range regexp.MustCompile("`([a-z_.]+\\.[a-z_.]+)`").FindAllStringSubmatch(docs, -1) {
		known[strings.ReplaceAll(m[1], ".", "_")] = true // labels
	}
	name := regexp.MustCompile(`\b(pullrun|cicd)_[a-z_]+`)
	dashboard := expressions(t)
	for _, text := range append(dashboard, readFile(t, filepath.Join(deployDir, "prometheus/rules.yml")), readFile(t, filepath.Join(deployDir, "prometheus/rules_test.yml"))) {
		for _, used := range name.FindAllString(text, -1) {
			if !known[used] {
				t.Errorf("%q is in deploy and not in docs/metrics.md", used)
			}
		}
	}
	if len(listed) < 30 {
		t.Errorf("docs/metrics.md lists %d metrics, want all", len(listed))
	}
	shown := strings.Join(dashboard, "\n")
	for _, metric := range listed {
		if !strings.Contains(shown, metric) {
			t.Errorf("the dashboard does not show %s", metric)
		}
	}
}

// expressions are those of the dashboard.
func expressions(t *testing.T) (out []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(deployDir, "grafana/pullrun.json"))), &dashboard); err != nil {
		t.Fatal(err)
	}
	taken := make(map[[2]int]string)
	for i, p := range dashboard.Panels {
		if p.ID != i+1 || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d is not all there: %+v", i, p)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			out = append(out, target.Expr)
		}
	}
	return out
}

// compose is what the tests want to know of deploy/compose.yaml.
type compose struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
		Secrets     []string
		Networks    []string
		Volumes     []string
		Ports       []string
	}
	Configs map[string]struct{ Content string }
	Secrets map[string]struct{ File string }
}

// The server and the worker of deploy/compose.yaml start with the settings that
// they are given, every variable is one that they know, and Prometheus looks for
// them where they are.
func TestComposeKnowsTheSettings(t *testing.T) {
	t.Parallel()
	var c compose
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(deployDir, "compose.yaml"))), &c); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret := func(text string) string {
		for name := range c.Secrets {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(testToken+name), 0o600); err != nil {
				t.Fatal(err)
			}
			text = strings.ReplaceAll(text, "/run/secrets/"+name, file)
		}
		return text
	}
	file := filepath.Join(dir, "server.yaml")
	if err := os.WriteFile(file, []byte(secret(c.Configs["server"].Content)), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := func(service string) []string {
		all := []string{} // nil is the process's
		for name, value := range c.Services[service].Environment {
			all = append(all, name+"="+secret(value))
		}
		return all
	}
	server, _, err := configs.Load[configs.Server](configs.LoadOptions{File: file, Environ: environ("server")})
	if err != nil {
		t.Error(err)
	}
	if _, _, err := configs.Load[configs.Worker](configs.LoadOptions{Environ: environ("worker")}); err != nil {
		t.Error(err)
	}
	for _, service := range []string{"server", "worker"} {
		known := readFile(t, "../../configs/"+service+".yaml")
		for name := range c.Services[service].Environment {
			if !strings.HasPrefix(name, "OTEL_") && !strings.Contains(known, "# "+name+",") {
				t.Errorf("%s: the %s has no setting of this name", name, service)
			}
		}
	}
	if len(server.Tokens) != len(c.Secrets) {
		t.Errorf("the server knows %d tokens, want one for each of %d secrets", len(server.Tokens), len(c.Secrets))
	}
	scrapes := readFile(t, filepath.Join(deployDir, "prometheus/prometheus.yml"))
	if target := "[server" + server.Listen + "]"; !strings.Contains(scrapes, target) {
		t.Errorf("prometheus.yml does not scrape %s", target)
	}
	// The worker's metrics go through the server to Prometheus, which the worker
	// cannot reach.
	for name, service := range c.Services {
		if slices.Contains(service.Networks, "workers") != (name == "worker" || name == "server") {
			t.Errorf("%s is in the networks %v", name, service.Networks)
		}
	}
	prometheus := c.Services["prometheus"]
	if to := c.Services["server"].Environment["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]; to != "http://prometheus:9090/api/v1/otlp/v1/metrics" || !slices.Contains(prometheus.Command, "--web.enable-otlp-receiver") {
		t.Errorf("the server exports to %s, and Prometheus is started with %v", to, prometheus.Command)
	}
	// What is deployed is what "make prometheus" builds: module 0.316 is 3.16.
	major, minor, _ := strings.Cut(strings.TrimPrefix(prometheus.Image, "prom/prometheus:v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	if module := fmt.Sprintf("prometheus/prometheus v0.%s%02s.", major, minor); !strings.Contains(readFile(t, "../../tools/prometheus/go.mod"), module) {
		t.Errorf("the image is %s, and tools/prometheus has no %s", prometheus.Image, module)
	}
}

// Prometheus takes the files, and each alert fires when its cause is there and
// not otherwise.
func TestPrometheusTakesTheRules(t *testing.T) {
	t.Parallel()
	promtool := wants(t, "promtool", "prometheus")
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	config := strings.Replace(readFile(t, filepath.Join(deployDir, "prometheus/prometheus.yml")), "/run/secrets/read_token", token, 1)
	for path, text := range map[string]string{token: "x", filepath.Join(dir, "prometheus.yml"): config, filepath.Join(dir, "rules.yml"): readFile(t, filepath.Join(deployDir, "prometheus/rules.yml"))} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"check", "config", filepath.Join(dir, "prometheus.yml")}, // and the rules that it names
		{"test", "rules", filepath.Join(deployDir, "prometheus/rules_test.yml")},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	var rules struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(dir, "rules.yml"))), &rules); err != nil {
		t.Fatal(err)
	}
	tested := readFile(t, filepath.Join(deployDir, "prometheus/rules_test.yml"))
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if !strings.Contains(tested, `alertname="`+r.Alert+`"`) {
				t.Errorf("no test sees %s fire", r.Alert)
			}
		}
	}
}
