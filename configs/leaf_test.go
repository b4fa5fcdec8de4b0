package configs

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every setting of every role can be set in a file, by a variable alone and
// by a flag, and says where it came from.
func TestEverySettingCanBeSet(t *testing.T) {
	t.Parallel()
	t.Run("worker", testEverySetting[Worker])
	t.Run("server", testEverySetting[Server])
	t.Run("client", testEverySetting[Client])
}

func testEverySetting[T settings[T]](t *testing.T) {
	token := written(t, "token", "from-a-file-0123456789\n")
	const https = "https://example.com"
	database := written(t, "database", "postgres://db/pullrun\n")
	for _, s := range settingsOf(reflect.TypeFor[T]()) {
		text, want := sample(s)
		beside := map[string]string{}
		switch s.key { // what needs company to be valid
		case "server.token_file", "enrol_token_file":
			text, want = token, token
		case "store_file":
			text, want = database, database
		case "server.ca_file":
			beside["PULLRUN_SERVER_URL"] = https
		case "server.cert_file":
			beside["PULLRUN_SERVER_URL"], beside["PULLRUN_SERVER_KEY_FILE"] = https, "key.pem"
		case "server.key_file":
			beside["PULLRUN_SERVER_URL"], beside["PULLRUN_SERVER_CERT_FILE"] = https, "cert.pem"
		case "server.proxy_password":
			beside["PULLRUN_SERVER_PROXY_USER"] = "edge"
		case "server.proxy_password_file":
			text, want = token, token
			beside["PULLRUN_SERVER_PROXY_USER"] = "edge"
		case "lease":
			beside["PULLRUN_RENEW"] = "5s"
		case "tls.cert_file":
			beside["PULLRUN_TLS_KEY_FILE"] = "key.pem"
		case "tls.key_file":
			beside["PULLRUN_TLS_CERT_FILE"] = "cert.pem"
		case "tls.client_ca_file":
			beside["PULLRUN_TLS_CERT_FILE"], beside["PULLRUN_TLS_KEY_FILE"] = "cert.pem", "key.pem"
		}
		t.Run(s.key, func(t *testing.T) {
			file := written(t, "settings.yaml", nested(s, text))
			line := strings.Count(s.key, ".") + 1
			checkSetting[T](t, s, want, fmt.Sprintf("%s:%d", file, line), LoadOptions{File: file, Environ: environment(beside)})

			checkSetting[T](t, s, want, "flag --"+s.flag(),
				LoadOptions{Flags: parsed[T](t, "--"+s.flag()+"="+text), Environ: environment(beside)})

			beside[s.env()] = text
			checkSetting[T](t, s, want, s.env(), LoadOptions{Environ: environment(beside)})
		})
	}
}

func checkSetting[T settings[T]](t *testing.T, s setting, want any, from string, opts LoadOptions) {
	t.Helper()
	values, sources, err := Load[T](opts)
	if err != nil {
		t.Errorf("Load from %s = %v", from, err)
	}
	got := reflect.ValueOf(values).FieldByIndex(s.index).Interface()
	if diff := diff(want, got); diff != "" {
		t.Errorf("%s from %s (-want +got)\n%s", s.key, from, diff)
	}
	for _, source := range sources {
		if source.Key == s.key && source.From != from {
			t.Errorf("%s comes from %q, want %q", s.key, source.From, from)
		}
	}
}

// sample gives text for a setting that is not its default, and what it means.
func sample(s setting) (text string, want any) {
	switch s.key {
	case "listen":
		return "127.0.0.1:9", "127.0.0.1:9"
	case "log.level":
		return "debug", "debug"
	case "log.format":
		return "json", "json"
	case "server.url":
		return "http://example.com/x", NewURL("http://example.com/x")
	case "server.proxy":
		return "http://proxy.example.com:3128", NewURL("http://proxy.example.com:3128")
	case "trace_url":
		return "http://example.com/{trace}", "http://example.com/{trace}"
	case "http.allow_private", "code":
		return "false", false
	case "process.allow":
		return "/usr/bin/jq,/opt/jobs/*", []string{"/usr/bin/jq", "/opt/jobs/*"}
	}
	switch s.typ {
	case reflect.TypeFor[bool]():
		return "true", true
	case reflect.TypeFor[int]():
		return "7", 7
	case durationType:
		return "17s", 17 * time.Second
	case sizeType:
		return "3MiB", 3 * MiB
	case secretType:
		return "sesame-0123456789", NewSecret("sesame-0123456789")
	case urlType:
		return "postgres://me:pw@db/x", NewURL("postgres://me:pw@db/x")
	case reflect.TypeFor[[]string]():
		return "a,b", []string{"a", "b"}
	case reflect.TypeFor[map[string]string]():
		return "zone=eu,app.example.com/name=etl", map[string]string{"zone": "eu", "app.example.com/name": "etl"}
	case reflect.TypeFor[[]Token]():
		return "[{name: ci, token: sesame-0123456789, scopes: [submit]}]",
			[]Token{{Name: "ci", Token: NewSecret("sesame-0123456789"), Scopes: []string{"submit"}}}
	}
	return "x-y", "x-y"
}

// nested writes a setting as a file has it, its groups on lines of their own.
func nested(s setting, text string) string {
	switch s.typ {
	case reflect.TypeFor[[]string]():
		text = "[" + text + "]"
	case reflect.TypeFor[map[string]string]():
		text = "{" + strings.ReplaceAll(text, "=", ": ") + "}"
		text = strings.ReplaceAll(text, ",", ", ")
	}
	var b strings.Builder
	names := strings.Split(s.key, ".")
	for i, name := range names {
		fmt.Fprintf(&b, "%s%s:", strings.Repeat("  ", i), name)
		if i < len(names)-1 {
			b.WriteString("\n")
		}
	}
	return b.String() + " " + text + "\n"
}

func TestNamesOfSettings(t *testing.T) {
	t.Parallel()
	t.Run("worker", testNames[Worker])
	t.Run("server", testNames[Server])
	t.Run("client", testNames[Client])
}

func testNames[T settings[T]](t *testing.T) {
	valid := regexp.MustCompile(`^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)?$`)
	// Kubernetes sets such variables for a Service named pullrun or
	// pullrun-server.
	injected := regexp.MustCompile(`_(PORT|PORT_.*|SERVICE_HOST|SERVICE_PORT.*)$`)
	seen := map[string]string{}
	for _, s := range settingsOf(reflect.TypeFor[T]()) {
		if !valid.MatchString(s.key) {
			t.Errorf("key %q is not lower case with underscores, in one group at most", s.key)
		}
		if injected.MatchString(s.env()) {
			t.Errorf("%s may be set by Kubernetes", s.env())
		}
		for _, name := range []string{s.env(), s.flag()} {
			if other := seen[name]; other != "" {
				t.Errorf("%s stands for %s and %s", name, other, s.key)
			}
			seen[name] = s.key
		}
		if !strings.HasSuffix(s.doc, ".") {
			t.Errorf("doc of %s is %q, want whole sentences", s.key, s.doc)
		}
		if _, ok := settingWithKey[T](s.key + "_file"); s.typ == secretType && !ok {
			t.Errorf("secret %s has no %s_file", s.key, s.key)
		}
	}
}

func settingWithKey[T settings[T]](key string) (setting, bool) {
	for _, s := range settingsOf(reflect.TypeFor[T]()) {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}
