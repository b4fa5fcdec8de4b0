package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// Secrets by the place where they enter.
const (
	plantedSetting   = "planted-setting-token-8d1f"  // a token in the server's settings
	plantedFile      = "planted-file-token-77aa01"   // a token in a file
	plantedProxy     = "planted-proxy-password-9c"   // the password of a proxy
	plantedQuery     = "planted-query-5b2e9f"        // the query of a URL that a pipeline calls
	plantedUser      = "planted-userinfo-1c44d0"     // the password in such a URL
	plantedHeader    = "planted-header-0e9b7a"       // a header of such a call
	plantedEnv       = "planted-environment-6f21"    // a pipeline's secret in a variable
	plantedSecret    = "planted-secretfile-3d5c"     // a pipeline's secret in a file
	plantedCollector = "planted-collector-2b7d10"    // a header of the collector
	plantedKey       = "planted-keyfile-4488aabbccd" // the content of a key file
	plantedDatabase  = "planted-database-e1f0b2"     // the password of the database
	plantedVariable  = "planted-variable-a9d3c4"     // what a client sends
	plantedMalformed = "planted-malformed-77c0e4"    // a header of the collector that cannot be read
)

// leakPipeline has its secrets in everything that a pipeline can say.
const leakPipeline = `
secrets:
  env: {env: PLANTED_ENV}
  file: {file: %s}
---
- name: say
  code: print(secrets.env, secrets.file, '%s')
- name: call
  chip: http.get
  params:
    url: "{{ target }}/{{ secrets.env }}?key=` + plantedQuery + `&env={{ secrets.env }}"
    headers: {Authorization: "Bearer ` + plantedHeader + `", X-Secret: "{{ secrets.file }}"}
- name: refused
  chip: http.get
  params: {url: "http://me:` + plantedUser + `@127.0.0.1:1/?key=` + plantedQuery + `"}
- return: {text: "{{ secrets.env }}", list: ["a{{ secrets.file }}b"], own: "%s", coded: "%s"}
`

// failPipeline ends with an error that has secrets in its text.
const failPipeline = `
secrets: {env: {env: PLANTED_ENV}}
---
- name: refused
  chip: http.http_request
  params: {method: GET, url: "http://me:` + plantedUser + `@127.0.0.1:1/{{ secrets.env }}?key=` + plantedQuery + `"}
  store_result_as: answer
- name: complain
  code: |
    raise ValueError(str(answer) + secrets.env + ' ` + plantedProxy + ` http://me:` + plantedUser + `@h/?key=` + plantedQuery + `')
`

// All of them enter a server, a worker and a client, and everything that comes out
// is looked through: logs at their most talkative, traces, results and other
// answers, what commands print, and the database.
func TestPlantedSecretsStayWhereTheyAre(t *testing.T) {
	kinds := []string{storetest.SQLite, storetest.Postgres}
	if only := os.Getenv("PULLRUN_TEST_STORE"); only != "" {
		kinds = []string{only}
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { plant(t, kind) })
	}
}

func plant(t *testing.T, kind string) {
	t.Setenv("PULLRUN_TEST_STORE", kind)
	p := newPlantedSite(t, kind)
	srv := p.server()
	enrolment := p.enrolment()
	p.args = append(p.args, "--enrol-token-file", enrolment)
	w := start(t, p.worker, append([]string{"worker"}, p.args...)...)
	w.says(`"msg":"registered"`)
	p.commands()
	w.signal(syscall.SIGTERM)
	w.ends()
	srv.signal(syscall.SIGTERM)
	srv.ends()
	p.out.add("the worker", w.log(), w.out.String())
	p.out.add("the server", srv.log(), srv.out.String())
	p.out.add("traces", string(p.traces.Raw()))
	if n := len(p.traces.Spans()); n < 5 {
		t.Errorf("only %d spans were exported", n)
	}
	secrets := append([]string{
		plantedSetting, plantedFile, plantedProxy, plantedQuery, plantedUser, plantedHeader, plantedEnv, plantedSecret, plantedCollector,
		plantedKey, plantedDatabase, plantedMalformed,
	}, p.issued(enrolment)...)
	p.out.look(t, append(secrets, plantedVariable))
	dump := sightings{}
	dump.add("the database", databaseBytes(t, kind, p.database))
	dump.look(t, secrets)
	if !strings.Contains(dump[0].text, plantedVariable) {
		t.Error("the database has not the variables of the run, so it is not what was looked at")
	}
}

// A plantedSite is a site whose settings, files and variables hold secrets.
type plantedSite struct {
	*site
	database string // its address, without what is planted
	traces   *oteltest.Receiver
	gate     *gate
	exports  []string // what sets tracing up
	worker   []string // environment of the worker
	args     []string // of the worker
	status   string   // where the worker serves how it stands
	out      sightings
}

func newPlantedSite(t *testing.T, kind string) *plantedSite {
	t.Helper()
	s := newSite(t)
	p := &plantedSite{site: s, database: storetest.URL(t), traces: oteltest.NewReceiver(t), gate: newGate(t)}
	p.gate.letGo()
	database := p.database
	if u, err := url.Parse(database); err == nil && kind == storetest.Postgres {
		if _, has := u.User.Password(); !has {
			u.User = url.UserPassword(u.User.Username(), plantedDatabase) // a server that trusts does not look at it
			database = u.String()
		}
	}
	s.write("server.yaml", fmt.Sprintf(`
listen: %s
store_file: %s
tokens:
  - { name: root, token: %s, scopes: [admin] }
  - { name: ci, token_file: %s, scopes: [submit] }
log: { level: debug, format: json }
`, s.addr, s.write("database.url", database), plantedSetting, s.write("ci.token", plantedFile)))
	p.exports = []string{
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=" + p.traces.Endpoint(), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=" + plantedCollector,
	}
	s.extra = p.exports
	s.env = []string{"PULLRUN_SERVER_URL=http://" + s.addr, "PULLRUN_SERVER_TOKEN=" + plantedSetting}
	coded := base64.StdEncoding.EncodeToString([]byte("x" + plantedCollector))
	s.write("p/leak.yml", fmt.Sprintf(leakPipeline, s.write("secret", plantedSecret+"\n"), plantedProxy, plantedProxy, coded))
	dir := filepath.Dir(s.write("p/fail.yml", failPipeline))
	p.worker = append(slices.Clone(p.exports), s.env[0], "PLANTED_ENV="+plantedEnv, "XDG_STATE_HOME="+s.dir,
		"PULLRUN_SERVER_PROXY_USER=me", "PULLRUN_SERVER_PROXY_PASSWORD="+plantedProxy)
	p.status = freeAddr(t, "127.0.0.1")
	p.args = []string{"--name", "w", "--listen", p.status, "--log-level", "debug", "--log-format", "json", "--pipelines-dirs", dir}
	return p
}

// note runs a command and keeps what it says.
func (p *plantedSite) note(what string, code int, env []string, args ...string) {
	p.t.Helper()
	got, stdout, log := call(p.t, env, args...)
	if got != code {
		p.t.Errorf("%s ended with %d, want %d: %s", what, got, code, log)
	}
	p.out.add(what, stdout, log)
}

// commands runs the pipelines, and asks for all there is to know.
func (p *plantedSite) commands() {
	p.t.Helper()
	client := append(slices.Clone(p.exports), p.env[0], "PULLRUN_SERVER_TOKEN_FILE="+filepath.Join(p.dir, "ci.token"), "PULLRUN_LOG_LEVEL=debug")
	p.note("run leak", exitDone, client, "run", "leak", "--cookie", "leak", "--set", "target="+p.gate.URL, "--set", "note="+plantedVariable)
	p.note("run fail", exitFailed, client, "run", "fail", "--cookie", "fail", "--set", "note="+plantedVariable)
	for _, args := range []string{"runs leak", "runs fail", "runs", "audit", "tokens list", "workers"} {
		p.note(args, exitDone, p.env, append(strings.Fields(args), "-o", "json")...)
	}
	settings := filepath.Join(p.dir, "server.yaml")
	p.note("config print server", exitDone, nil, "config", "print", "server", "--config", settings)
	p.note("config print worker", exitDone, p.worker, append([]string{"config", "print", "worker"}, p.args...)...)
	p.note("status", exitDone, nil, "status", "--addr", p.status, "-o", "json")
	_, out, log := call(p.t, p.worker, append([]string{"doctor", "--idle-cut", "1s", "-o", "json"}, p.args...)...)
	if !strings.Contains(out, `"token"`) {
		p.t.Errorf("doctor says nothing of the token: %s%s", out, log)
	}
	p.out.add("doctor", out, log)
	p.note("a wrong token", exitRefused, []string{p.env[0], "PULLRUN_SERVER_TOKEN=" + plantedSetting + "x"}, "runs")
	key := p.write("tls.key", plantedKey)
	p.note("a wrong key", exitUsage, nil, "server", "--config", settings, "--listen", "127.0.0.1:0",
		"--store", "sqlite://other.db", "--store-file", "", "--tls-cert-file", key, "--tls-key-file", key)
	p.malformed()
}

// malformed starts what exports with headers that cannot be read.
func (p *plantedSite) malformed() {
	p.t.Helper()
	const all = "OTEL_EXPORTER_OTLP_HEADERS="
	at := "http://127.0.0.1:1"
	toLogs := []string{"OTEL_LOGS_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=" + at}
	toBoth := []string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + at + "/v1/metrics", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=" + at + "/v1/logs"}
	server := []string{"server", "--config", filepath.Join(p.dir, "server.yaml"), "--listen", "127.0.0.1:0"}
	worker := append([]string{"worker"}, p.args...)
	run := []string{"run", "leak"}
	for i, tt := range []struct {
		args, env []string
		headers   string
	}{
		{server, toLogs, all + "x-api-key:" + plantedMalformed},
		{server, toLogs, all + "authorization=Bearer%zz" + plantedMalformed},
		{server, toLogs, "OTEL_EXPORTER_OTLP_LOGS_HEADERS=bad name=" + plantedMalformed},
		{server, toBoth, "OTEL_EXPORTER_OTLP_METRICS_HEADERS=a=b," + plantedMalformed},
		{worker, toBoth, all + "x-api-key:" + plantedMalformed},
		{run, toLogs, all + "a=b," + plantedMalformed},
		{run, toLogs, "OTEL_EXPORTER_OTLP_TRACES_HEADERS=x-api-key:" + plantedMalformed},
	} {
		env := append(slices.Clone(p.worker), tt.env...)
		env = slices.DeleteFunc(env, func(pair string) bool { return strings.HasPrefix(pair, all) })
		p.note(fmt.Sprintf("malformed headers %d", i), exitUsage, append(env, tt.headers), tt.args...)
		name, _, _ := strings.Cut(tt.headers, "=")
		if last := p.out[len(p.out)-1].text; !strings.Contains(last, name) {
			p.t.Errorf("%s does not say which variable it is about: %s", tt.args[0], last)
		}
	}
}

// issued are the enrolment and the credential that came of it.
func (p *plantedSite) issued(enrolment string) (secrets []string) {
	p.t.Helper()
	for _, file := range []string{enrolment, filepath.Join(p.dir, "pullrun", "credentials", "w")} {
		raw, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		text := string(bytes.TrimSpace(raw))
		if file != enrolment {
			text = fmt.Sprint(decode[map[string]any](p.t, text)["token"])
		}
		if api.TokenID(text) == "" {
			p.t.Fatalf("%s holds no token", file)
		}
		secrets = append(secrets, text)
	}
	return secrets
}

// sightings are what came out, by where.
type sightings []struct{ where, text string }

func (s *sightings) add(where string, texts ...string) {
	*s = append(*s, struct{ where, text string }{where, strings.Join(texts, "\n")})
}

// look fails the test for each secret that is to be seen, as it is or in base64.
func (s sightings) look(t *testing.T, secrets []string) {
	t.Helper()
	for _, sight := range s {
		for _, secret := range secrets {
			for shift := range 3 {
				coded := base64.StdEncoding.EncodeToString([]byte("xx"[:shift%3] + secret))
				for _, form := range []string{secret, url.QueryEscape(secret), coded[4 : len(coded)-4]} {
					if i := strings.Index(sight.text, form); i >= 0 {
						t.Errorf("%s shows %q: …%q", sight.where, secret, sight.text[max(0, i-60):min(len(sight.text), i+60)])
					}
				}
			}
		}
	}
}

// databaseBytes is all that the database has on its disk, or dumps.
func databaseBytes(t *testing.T, kind, address string) string {
	t.Helper()
	var all bytes.Buffer
	if kind == storetest.SQLite {
		files, err := filepath.Glob(strings.TrimPrefix(address, "sqlite://") + "*")
		if err != nil || len(files) == 0 {
			t.Fatalf("files of the database: %v, %v", files, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(raw)
		}
		return all.String()
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the address of the database is none")
	}
	schema := u.Query().Get("search_path")
	u.RawQuery = ""
	program, err := exec.LookPath("pg_dump")
	if err != nil {
		installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
		if len(installed) == 0 {
			t.Fatalf("%v: install the package postgresql-client", err)
		}
		program = slices.Max(installed)
	}
	t.Setenv("PGOPTIONS", "-c bytea_output=escape") // so that payloads are readable
	cmd := exec.Command(program, "--schema="+schema, "--inserts", u.String())
	cmd.Stdout, cmd.Stderr = &all, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}
