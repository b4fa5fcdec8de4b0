package engine_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
)

const withInputs = `
inputs:
  city: text
  days: {type: int, default: 3, doc: How far to look ahead.}
  unit: {type: text, enum: [C, F], default: C}
  tags: {type: list, default: []}
  note: {type: text, default: null}
  extra: {type: any, default: null}
---
- return: ["{{ city }}", "{{ days }}", "{{ unit }}", "{{ tags }}", "{{ note }}", "{{ extra }}", var(city)]
`

func TestInputsAreReadAndChecked(t *testing.T) {
	c := single(t, withInputs)
	result(t, c, `{"city": "Oslo"}`, `["Oslo",3,"C",[],null,null,"Oslo"]`)
	result(t, c, `{"city": "{{ 1 }}", "days": "7", "unit": "F", "tags": ["x"], "note": "n", "extra": {"b": 1, "a": 2}}`,
		`["{{ 1 }}",7,"F",["x"],"n",{"b":1,"a":2},"{{ 1 }}"]`)
	for _, tt := range []struct{ variables, want string }{
		{`{}`, `ValidationException: variables: "city" is missing`},
		{`{"city": 5, "days": "soon", "unit": "K", "tag": [1]}`,
			`ValidationException: variables: "city" wants text, not 5; "days" wants int, not 'soon'; ` +
				`"unit" wants one of "C", "F", not 'K'; "tag" is not an input of main; did you mean "tags"?`},
		{`{"city": null}`, `ValidationException: variables: "city" wants text, not null`},
		{`{"city": "x", "tags": "y"}`, `ValidationException: variables: "tags" wants list of any, not 'y'`},
	} {
		_, err := run(t.Context(), c, tt.variables)
		if err == nil || err.Error() != tt.want {
			t.Errorf("Run(%s) = %v, want %s", tt.variables, err, tt.want)
		}
	}
	got := c.Pipelines()[0].Inputs
	want := []engine.InputSpec{
		{Name: "city", Type: "text", Required: true},
		{Name: "days", Type: "int", Default: int64(3), Doc: "How far to look ahead."},
		{Name: "unit", Type: "text", Default: "C", Enum: []string{"C", "F"}},
	}
	if diff := cmp.Diff(want, got[:3]); diff != "" {
		t.Errorf("Inputs differ (-want +got):\n%s", diff)
	}
}

func TestAHeaderIsChecked(t *testing.T) {
	got := problems(t, engine.LoadOptions{FS: fsOf(map[string]string{"main.yml": `input: {}
inputs:
  a-b: text
  c: number
  d: {type: int, default: x}
  e: {typ: int}
secrets:
  f: {}
  g: {env: A, file: b}
  h: {vault: x}
---
- return: 1
`})})
	want := []string{
		`main.yml:1:1: unknown field 'input' in the header; did you mean "inputs"?`,
		`main.yml:3:3: "a-b" cannot be the name of a variable`,
		`main.yml:4:6: unknown type "number" of an input; types are any, bool, float, int, list, map, text`,
		`main.yml:5:27: default: "d" wants int, not 'x'`,
		`main.yml:6:7: unknown field 'typ' in an input; it takes type, doc, default and enum`,
		`main.yml:8:6: secret "f" wants env or file`,
		`main.yml:9:6: secret "g" wants env or file`,
		`main.yml:10:7: unknown field "vault" in a secret; it takes env or file`,
		`main.yml:10:6: secret "h" wants env or file`,
	}
	got2 := strings.Join(got, "\n")
	for _, w := range want {
		if !strings.Contains(got2, w) {
			t.Errorf("Load() lacks %s; it says\n%s", w, got2)
		}
	}
}

func TestSecretsAreHiddenEverywhere(t *testing.T) {
	const token, key = `tok"en/+<é'-4711`, "file-secret-0815"
	t.Setenv("ENGINE_TEST_TOKEN", token)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	header := "secrets:\n  token: {env: ENGINE_TEST_TOKEN}\n  key: {file: " + file + "}\n---\n"
	var log bytes.Buffer
	var kept secretKeeper
	leaks := func(t *testing.T, what, text string) {
		t.Helper()
		for _, form := range []string{token, `tok\"en`, `tok"en`, "4711", url.QueryEscape(token), hex.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString([]byte(token)), key} {
			if strings.Contains(text, form) {
				t.Errorf("%s holds the secret as %s: %s", what, form, text)
			}
		}
	}
	for _, tt := range []struct{ name, text, class string }{
		{"a result", "- return: {t: '{{ secrets.token }}', k: '{{ secrets.key }}', u: 'x{{ secrets.token }}y'}\n", ""},
		{"a result in base64", "- code: |\n    import base64\n    base64.b64encode(('xy' + secrets.token).encode()).decode()\n  return_result: true\n", ""},
		{"a result in hex", "- code: secrets.token.encode().hex()\n  return_result: true\n", ""},
		{"a result as Python writes it", "- return: '{{ [secrets.token] }} {{ secrets }}'\n", ""},
		{"a result as JSON in JSON", "- chip: utils.json.dumps\n  params: {obj: '{{ [secrets.token] }}'}\n  return_result: true\n", ""},
		{"a result in a URL", "- code: |\n    import urllib.parse\n    urllib.parse.quote(secrets.token) + urllib.parse.quote_plus(secrets.token)\n  return_result: true\n", ""},
		{"an error", "- code: \"{}[secrets.token]\"\n", engine.CodeExecutionException},
		{"an error of a chip", "- chip: kit.fail\n  params: {message: 'no {{ secrets.key }}'}\n", engine.ChipException},
		{"what is logged", "- code: print(secrets.token)\n- chip: reasonchip.debug.log\n  params: {message: '{{ secrets }}'}\n", ""},
		{"a task's log", "- chip: kit.fail\n  params: {message: '{{ secrets.token }}'}\n  log: info\n", engine.ChipException},
		{"a warning", "- chip: kit.fail\n  params: {message: '{{ secrets.token }}'}\n  run_async: true\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := single(t, header+tt.text)
			out, err := c.Run(t.Context(), engine.Input{
				Pipeline: "main", Log: slog.New(slog.NewTextHandler(&log, nil)), Observer: &kept,
			})
			leaks(t, "the result", string(out.Result))
			leaks(t, "a warning", strings.Join(out.Warnings, "\n"))
			if tt.class != "" {
				e := failsWith(t, err, tt.class)
				leaks(t, "the error", e.Error())
				leaks(t, "the cause", e.Cause.Error())
			} else if err != nil {
				t.Errorf("Run() = %v", err)
			}
		})
	}
	leaks(t, "the log", log.String())
	if len(kept.values) == 0 || kept.values[0] != token {
		t.Errorf("the observer was told of %q, want the secrets", kept.values)
	}
	result(t, single(t, header+"- return: '{{ len(secrets.token) }}'\n"), "", "16")
}

// A secretKeeper is an observer that is told of secrets.
type secretKeeper struct {
	recorder
	values []string
}

func (k *secretKeeper) Secret(s string) { k.values = append(k.values, s) }

func TestPartsOfASecretAreHidden(t *testing.T) {
	t.Setenv("ENGINE_TEST_PEM", "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----")
	t.Setenv("ENGINE_TEST_JSON", `{"user": "ann", "password": "correct horse"}`)
	c := single(t, `
secrets: {pem: {env: ENGINE_TEST_PEM}, doc: {env: ENGINE_TEST_JSON}}
---
- code: |
    import json
    [line for line in secrets.pem.split('\n')] + [json.loads(secrets.doc)]
  return_result: true
`)
	result(t, c, "", `["[secret]","[secret]","[secret]","[secret]",{"user":"ann","password":"[secret]"}]`)
}

func TestASecretThatIsNotThereFailsTheRun(t *testing.T) {
	t.Setenv("ENGINE_TEST_SHORT", "abc")
	c := single(t, "secrets:\n  a: {env: ENGINE_TEST_NONE}\n  b: {env: ENGINE_TEST_SHORT}\n  c: {file: /nonexistent/file}\n---\n- return: 1\n")
	_, err := run(t.Context(), c, "")
	e := failsWith(t, err, engine.ValidationException)
	for _, want := range []string{
		`secret "a": environment variable ENGINE_TEST_NONE is empty`,
		`secret "b": environment variable ENGINE_TEST_SHORT holds fewer than 6 characters`,
		`secret "c": open /nonexistent/file: no such file`,
	} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("Run() = %v, want %s", err, want)
		}
	}
}

func TestAClientCannotSetSecrets(t *testing.T) {
	t.Setenv("ENGINE_TEST_TOKEN", "the real token")
	c := single(t, "secrets: {t: {env: ENGINE_TEST_TOKEN}}\n---\n- return: '{{ len(secrets.t) }}'\n")
	result(t, c, `{"secrets": {"t": "x"}}`, "14")
}
