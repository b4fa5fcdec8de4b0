package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pullrun/pullrun/api"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"one value", `{"pipeline": "p"}`, ""},
		{"white space may follow", "{\"pipeline\": \"p\"} \r\n\t", ""},
		{"fields that nobody knows are within the variables", `{"pipeline": "p", "variables": {"colour": {"deep": []}}}`, ""},
		{"capitals", `{"Pipeline": "p"}`, ""},
		{"nothing", "", "the body is empty"},
		{"only white space", " \n", "the body is empty"},
		{"a body that was cut", `{"pipeline": "p"`, "the body ends within its JSON value: unexpected EOF"},
		{"a second value", `{"pipeline": "p"} {}`, "the body goes on after its JSON value"},
		{"garbage after the value", `{"pipeline": "p"}}`, "the body goes on after its JSON value"},
		{"another type than an object", `[]`, "the body must be an object, got array"},
		{"text where a number belongs", `{"priority": "1"}`, "priority: must be a whole number, got string"},
		{"a fraction where a whole number belongs", `{"priority": 1.5}`, "priority: must be a whole number, got number 1.5"},
		{"a number where text belongs", `{"pipeline": 1}`, "pipeline: must be text, got number"},
		{"text where true or false belongs", `{"detach": "yes"}`, "detach: must be true or false, got string"},
		{"a list where an object belongs", `{"labels": []}`, "labels: must be an object, got array"},
		{"a time that is none", `{"not_before": "soon"}`, `not_before: wants a time such as 2026-11-25T10:00:00Z, got "soon"`},
		{"a number where a time belongs", `{"not_before": 5}`, `not_before: wants a time such as 2026-11-25T10:00:00Z, got "5"`},
		{"no JSON at all", `<html>`, "the body is not JSON: invalid character '<' looking for beginning of value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			var in api.Submit
			if err := api.Decode(strings.NewReader(tt.body), &in); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Decode(%q)\n got %s\nwant %s", tt.body, got, tt.want)
			}
		})
	}
	for body, want := range map[string]string{
		`{"holding": {}}`:               "holding: must be a list, got object",
		`{"holding": [{"fence": "1"}]}`: "holding.fence: must be a whole number, got string",
	} {
		if err := api.Decode(strings.NewReader(body), new(api.Poll)); err == nil || err.Error() != want {
			t.Errorf("Decode(%s) = %v, want %s", body, err, want)
		}
	}
}

func TestATimeThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		into any
		body string
		want string
	}{
		{new(api.Events), `{"events": [{"at": "2026-11-25T10:00:00Z"}, {"at": "x"}]}`, `events[1].at: wants a time such as 2026-11-25T10:00:00Z, got "x"`},
		{new(api.Requeue), `{"queue": 1}`, "queue: must be text, got number"},
		{new(api.Requeue), `{"since": "2026-11-25T10:00:00Z", "until": [2]}`, `until: wants a time such as 2026-11-25T10:00:00Z, got "[2]"`},
	} {
		if err := api.Decode(strings.NewReader(tt.body), tt.into); err == nil || err.Error() != tt.want {
			t.Errorf("Decode(%s)\n got %v\nwant %s", tt.body, err, tt.want)
		}
	}
}

func TestDecodePassesReadErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	for _, read := range []string{`{"pipe`, `{"pipeline": "p"}`} {
		err := api.Decode(io.MultiReader(strings.NewReader(read), iotest.ErrReader(broken)), new(api.Submit))
		if !errors.Is(err, broken) {
			t.Errorf("Decode() after %q = %v, want %v", read, err, broken)
		}
	}
}

func TestFalsyResultsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`0`, `-0`, `0.0`, `false`, `""`, `[]`, `{}`, `null`, `1e400`, `12345678901234567890`, `"\u0000"`, ``} {
		t.Run("result "+value, func(t *testing.T) {
			result := api.Result{Cookie: "c", Fence: 1, RC: api.RCOK, Result: raw(value)}
			run := api.Run{Cookie: "c", State: api.StateSucceeded, Result: raw(value)}
			var gotResult api.Result
			var gotRun api.Run
			pass(t, result, &gotResult)
			pass(t, run, &gotRun)
			for kind, got := range map[string]json.RawMessage{"Result": gotResult.Result, "Run": gotRun.Result} {
				if string(got) != value || (got == nil) != (value == "") {
					t.Errorf("%s came through as %q (nil: %t), want %q", kind, got, got == nil, value)
				}
			}
		})
	}
}

// raw is the JSON value, or nil for no value at all.
func raw(value string) json.RawMessage {
	if value == "" {
		return nil
	}
	return json.RawMessage(value)
}

// pass sends in over the wire into out.
func pass(t *testing.T, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Decode(strings.NewReader(string(body)), out); err != nil {
		t.Fatalf("Decode(%s) = %v", body, err)
	}
}

// What somebody asks for has no field that is not known, and what servers and workers
// tell each other may have.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		into       any
		body, want string
	}{
		{new(api.Submit), `{"pipeline": "p", "colour": {"deep": []}}`, "colour: is no field here, where there are pipeline, digest, variables"},
		{new(api.Submit), `{"pipeline": "p", "concurrency": {"key": "k", "limt": 3}}`, "concurrency.limt: is no field here, where there are key, limit, policy"},
		{new(api.Submits), `{"runs": [], "atomic": true}`, "atomic: is no field here"},
		{new(api.Cancel), `{"reasons": "x"}`, "reasons: is no field here"},
		{new(api.CancelRuns), `{"states": ["QUEUED"], "tag": {"a": "b"}}`, "tag: is no field here, where there are states, pipeline, queue"},
		{new(api.Requeue), `{"states": ["FAILED"], "pipelin": "p"}`, "pipelin: is no field here"},
		{new(api.NewToken), `{"name": "n", "queue": ["q"]}`, "queue: is no field here"},
		{new(api.Register), `{"name": "w", "colour": "red"}`, ""},
		{new(api.Poll), `{"session": "s", "colour": "red"}`, ""},
		{new(api.Results), `{"results": [{"cookie": "c", "colour": "red"}], "colour": "red"}`, ""},
		{new(api.Run), `{"cookie": "c", "colour": "red"}`, ""},
	} {
		if got := errText(api.Unmarshal([]byte(tt.body), tt.into)); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("Unmarshal(%s) into %T = %q, want %q", tt.body, tt.into, got, tt.want)
		}
	}
	if _, err := (api.Submits{Runs: []json.RawMessage{[]byte(`{"pipeline": "p", "colour": 1}`)}}).Submit(0); err == nil || !strings.Contains(err.Error(), "runs[0]: colour: is no field here") {
		t.Errorf("Submit() of a batch = %v, want an error about a field", err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
