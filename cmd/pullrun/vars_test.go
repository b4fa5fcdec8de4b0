package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "vars.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name  string
		vars  variables
		stdin string
		want  string
		err   string
	}{
		{name: "nothing is an empty object", want: `{}`},
		{name: "JSON is taken as JSON", vars: variables{set: []string{"n=1", "on=true", "list=[1, 2]", `s="x"`}}, want: `{"list":[1,2],"n":1,"on":true,"s":"x"}`},
		{name: "anything else is text", vars: variables{set: []string{"name=Ada Lovelace", "a=b=c", "empty=", "t={{ 1 }}"}}, want: `{"a":"b=c","empty":"","name":"Ada Lovelace","t":"{{ 1 }}"}`},
		{name: "a file is YAML", vars: variables{file: file("n: 012\nlist: [a, yes]\n")}, want: `{"list":["a","yes"],"n":12}`},
		{name: "what is set goes on top", vars: variables{file: file("a: 1\nb: 2\n"), set: []string{"b=3"}}, want: `{"a":1,"b":3}`},
		{name: "- is standard input", vars: variables{file: "-"}, stdin: `{"a": [1.0]}`, want: `{"a":[1.0]}`},
		{name: "a value without a name", vars: variables{set: []string{"x"}}, err: `--set wants name=value, got "x"`},
		{name: "a file that is a list", vars: variables{file: file("- 1\n")}, err: "wants a map of names to values, got a list"},
		{name: "a file with an error says where", vars: variables{file: file("a: [1\n")}, err: "vars.yaml:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.vars.read(terminal{in: strings.NewReader(tt.stdin)})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("read() = %s, %v, want the error %q", got, err, tt.err)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("read() = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}
