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
	database, bare := storetest.URL(t), ""
	if u, err := url.Parse(database); err == nil && kind == storetest.Postgres {
		bare = database
		if _, has := u.User.Password(); !has {
			u.User = url.UserPassword(u.User.Username(), plantedDatabase) // a server that trusts does not look at it
			database = u.String()
		}
	}
	s, traces, g := newSite(t), oteltest.NewReceiver(t), newGate(t)
	g.letGo()
	s.write("server.yaml", fmt.Sprintf(`
listen: %s
store_file: %s
tokens:
  - { name: root, token: %s, scopes: [admin] }
  - { name: ci, token_file: %s, scopes: [submit] }
log: { level: debug, format: json }
`, s.addr, s.write("database.url", database), plantedSetting, s.write("ci.token", plantedFile)))
	exports := []string{
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=" + traces.Endpoint(), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=" + plantedCollector,
	}
	s.extra = exports
	s.env = []string{"PULLRUN_SERVER_URL=http://" + s.addr, "PULLRUN_SERVER_TOKEN=" + plantedSetting}
	srv := s.server()
	s.write("p/leak.yml", fmt.Sprintf(leakPipeline, s.write("secret", plantedSecret+"\n"), plantedProxy, plantedProxy, base64.StdEncoding.EncodeToString([]byte("x"+plantedCollector))))
	dir := filepath.Dir(s.write("p/fail.yml", failPipeline))
	enrolment := s.enrolment()
	worker := append(slices.Clone(exports), s.env[0], "PLANTED_ENV="+plantedEnv, "XDG_STATE_HOME="+s.dir,
		"PULLRUN_SERVER_PROXY_USER=me", "PULLRUN_SERVER_PROXY_PASSWORD="+plantedProxy)
	args := []string{"--name", "w", "--enrol-token-file", enrolment, "--log-level", "debug", "--log-format", "json", "--pipelines-dirs", dir}
	w := start(t, worker, append([]string{"worker"}, args...)...)
	w.says(`"msg":"registered"`)

	var out sightings
	note := func(what string, code int, env []string, args ...string) {
		t.Helper()
		got, stdout, log := call(t, env, args...)
		if got != code {
			t.Errorf("%s ended with %d, want %d: %s", what, got, code, log)
		}
		out.add(what, stdout, log)
	}
	client := append(slices.Clone(exports), s.env[0], "PULLRUN_SERVER_TOKEN_FILE="+filepath.Join(s.dir, "ci.token"), "PULLRUN_LOG_LEVEL=debug")
	note("run leak", exitDone, client, "run", "leak", "--cookie", "leak", "--set", "target="+g.URL, "--set", "note="+plantedVariable)
	note("run fail", exitFailed, client, "run", "fail", "--cookie", "fail", "--set", "note="+plantedVariable)
	for _, cookie := range []string{"leak", "fail"} {
		note("runs "+cookie, exitDone, s.env, "runs", cookie, "-o", "json")
	}
	note("runs", exitDone, s.env, "runs", "-o", "json")
	note("audit", exitDone, s.env, "audit", "-o", "json")
	note("tokens list", exitDone, s.env, "tokens", "list", "-o", "json")
	note("workers", exitDone, s.env, "workers", "-o", "json")
	note("config print server", exitDone, nil, "config", "print", "server", "--config", filepath.Join(s.dir, "server.yaml"))
	note("config print worker", exitDone, worker, append([]string{"config", "print", "worker"}, args...)...)
	note("a wrong token", exitRefused, []string{s.env[0], "PULLRUN_SERVER_TOKEN=" + plantedSetting + "x"}, "runs")
	key := s.write("tls.key", plantedKey)
	note("a wrong key", exitOther, nil, "server", "--config", filepath.Join(s.dir, "server.yaml"), "--listen", "127.0.0.1:0",
		"--store", "sqlite://other.db", "--store-file", "", "--tls-cert-file", key, "--tls-key-file", key)

	w.signal(syscall.SIGTERM)
	w.ends()
	srv.signal(syscall.SIGTERM)
	srv.ends()
	out.add("the worker", w.log(), w.out.String())
	out.add("the server", srv.log(), srv.out.String())
	out.add("traces", string(traces.Raw()))
	if len(traces.Spans()) < 5 {
		t.Errorf("only %d spans were exported", len(traces.Spans()))
	}
	secrets := []string{
		plantedSetting, plantedFile, plantedProxy, plantedQuery, plantedUser, plantedHeader, plantedEnv, plantedSecret, plantedCollector,
		plantedKey, plantedDatabase,
	}
	for _, file := range []string{enrolment, filepath.Join(s.dir, "pullrun", "credentials", "w")} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(bytes.TrimSpace(raw))
		if file != enrolment {
			text = fmt.Sprint(decode[map[string]any](t, text)["token"])
		}
		if api.TokenID(text) == "" {
			t.Fatalf("%s holds no token", file)
		}
		secrets = append(secrets, text)
	}
	out.look(t, append(secrets, plantedVariable))
	dump := sightings{}
	dump.add("the database", databaseBytes(t, kind, database, bare))
	dump.look(t, secrets)
	if !strings.Contains(dump[0].text, plantedVariable) {
		t.Error("the database has not the variables of the run, so it is not what was looked at")
	}
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
func databaseBytes(t *testing.T, kind, address, bare string) string {
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
	u, err := url.Parse(bare)
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
