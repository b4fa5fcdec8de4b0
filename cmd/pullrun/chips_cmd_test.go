package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// within runs a command inside the test, where no process of its own is needed.
func within(t *testing.T, args ...string) (code int, out, log string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = execute(t.Context(), args, terminal{in: strings.NewReader(""), out: &stdout, err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestChips(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		code int
		out  []string
		log  string
	}{
		{
			name: "all are listed, one line each", args: []string{"chips"},
			out: []string{"http.get                         Makes a GET request.", "\nreasonchip.async.wait_for  ", "\nutils.time.sleep  "},
		},
		{
			name: "one is explained", args: []string{"chips", "reasonchip.debug.log"},
			out: []string{
				"reasonchip.debug.log\nWrites a message to the log of the run.\n",
				"\n  message  any   required        What to log;",
				`level    text  default "info"  How much it matters. One of info, debug, warning, error, critical.`,
				"Response: none\n",
				"    message: \"order {{ order.id }} is next\"\n", "gives\n  null\n",
			},
		},
		{
			name: "long names are understood", args: []string{"chips", "reasonchip.chipsets.utils.json.loads"},
			out: []string{"utils.json.loads\nReads a value from JSON.\n"},
		},
		{
			name: "an unknown one is not found", args: []string{"chips", "http.gte"},
			code: exitNotFound, log: `pullrun: unknown chip "http.gte"; did you mean "http.get"?`,
		},
		{
			name: "nothing is like it", args: []string{"chips", "slack.post_a_message"},
			code: exitNotFound, log: `pullrun: unknown chip "slack.post_a_message"`,
		},
		{
			name: "an unknown form is refused first", args: []string{"chips", "--output", "xml", "nonsense"},
			code: exitUsage, log: `pullrun: --output must be text or json, got "xml"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out, log := within(t, tt.args...)
			if code != tt.code || strings.TrimSpace(log) != tt.log {
				t.Errorf("exit code %d, %q, want %d, %q", code, log, tt.code, tt.log)
			}
			for _, want := range tt.out {
				if !strings.Contains(out, want) {
					t.Errorf("printed\n%s\nwithout %q", out, want)
				}
			}
		})
	}
}

func TestChipsAsJSON(t *testing.T) {
	t.Parallel()
	_, out, _ := within(t, "chips", "--output", "json")
	list := decode[[]chipInfo](t, out)
	_, out, _ = within(t, "chips", "utils.strings.remove_code_block", "--output", "json")
	one := decode[chipInfo](t, out)
	if len(one.Params) != 1 || !one.Params[0].Required || len(one.Response) != 4 || one.Example == "" || len(one.Result) == 0 {
		t.Errorf("a chip is described by %+v", one)
	}
	for _, c := range list {
		if c.Name == one.Name {
			one.Result, c.Result = nil, nil // they are indented as deep as they stand
			if diff := cmp.Diff(one, c); diff != "" {
				t.Errorf("the list says something else than the chip itself:\n%s", diff)
			}
			return
		}
	}
	t.Errorf("%d chips without %q", len(list), one.Name)
}
