package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// a is n letters.
func a(n int) string { return strings.Repeat("a", n) }

func labels(n int) map[string]string {
	m := make(map[string]string, n)
	for i := range n {
		m[fmt.Sprintf("k%d", i)] = "v"
	}
	return m
}

// entries is a line for each of n entries of a list.
func entries(n int, format string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}

func TestValidate(t *testing.T) {
	t.Parallel()
	run := api.Packet{PacketType: api.PacketRun, Cookie: "c", Fence: 1, Pipeline: "p"}
	for _, tt := range []struct {
		name string
		body interface{ Validate() error }
		want string // "" is valid
	}{
		{"a submit needs a pipeline only", api.Submit{Pipeline: "p"}, ""},
		{"all problems of a submit are told at once, in the order of its fields", api.Submit{
			Variables: json.RawMessage(`[]`), Cookie: "a/b", Queue: "Q", Labels: map[string]string{"B": "", "A": "\n"},
			Tags: map[string]string{"-": ""}, Priority: 101, QueueTimeoutMS: -1, RunTimeoutMS: -2, MaxAttempts: 101, Delivery: "twice",
		}, `pipeline: is required; variables: must be a JSON object; cookie: "a/b" may hold only letters, digits and . _ : -, and begins with a letter or digit; ` +
			`queue: "Q" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit; ` +
			`labels: key "A" must be 1 to 63 lower-case letters, digits and . _ / -, beginning with a letter or digit; ` +
			`labels: the value of "A" must be printable text of at most 255 bytes; ` +
			`labels: key "B" must be 1 to 63 lower-case letters, digits and . _ / -, beginning with a letter or digit; ` +
			`tags: key "-" must be 1 to 63 lower-case letters, digits and . _ / -, beginning with a letter or digit; ` +
			`priority: must be from -100 to 100, got 101; queue_timeout_ms: must be at least 0, got -1; run_timeout_ms: must be at least 0, got -2; ` +
			`max_attempts: must be from 0 to 100, got 101; delivery: must be "at_least_once" or "at_most_once", got "twice"`},
		{"variables may be null", api.Submit{Pipeline: "p", Variables: json.RawMessage(" null ")}, ""},
		{"a pipeline's name holds no slash", api.Submit{Pipeline: "../p"}, `pipeline: "../p" is not the name of a pipeline`},
		{"outside text is quoted and cut", api.Submit{Pipeline: "/" + strings.Repeat("é", 80)}, `pipeline: "/` + strings.Repeat("é", 39) + `..." is not the name of a pipeline`},
		{"a batch is not empty", api.SubmitBatch{}, "runs: is empty"},
		{"a batch is bounded", api.SubmitBatch{Runs: make([]api.Submit, api.MaxBatch+1)}, "runs: may have at most 1000 entries, got 1001"},
		{"a bad submit does not spoil its batch", api.SubmitBatch{Runs: make([]api.Submit, 1)}, ""},
		{"a cancel's reason is bounded", api.Cancel{Reason: a(256)}, "reason: is longer than 255 bytes"},

		{"a registration needs a name and a capacity only", api.Register{Name: "w", Capacity: 1}, ""},
		{"all problems of a registration are told at once", api.Register{
			Queues: []string{"q", ""}, Labels: labels(33), Pipelines: []api.PipelineInfo{{Digest: a(256)}}, Version: a(256),
			Holding: []api.Held{{Cookie: "c", Fence: 1}, {TraceParent: a(256)}},
		}, `name: "" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit; capacity: must be from 1 to 10000, got 0; ` +
			`queues[1]: "" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit; labels: may have at most 32 entries, got 33; ` +
			`pipelines[0].name: is required; pipelines[0].digest: is longer than 255 bytes; version: is longer than 255 bytes; ` +
			`holding[1].cookie: is required; holding[1].fence: must be at least 1, got 0; holding[1].traceparent: is longer than 255 bytes`},
		{"a poll needs its session", api.Poll{HoldMS: -1}, "session: is required; hold_ms: must be at least 0, got -1; holding: is required, [] when nothing is held"},
		{"a heartbeat names its session and leases", api.Heartbeat{Session: a(129), Holding: []api.Held{{Cookie: a(129), Fence: 1}}},
			"session: is longer than 128 bytes; holding[0].cookie: is longer than 128 bytes"},
		{"what is told is bounded", api.Heartbeat{Session: "s", Holding: make([]api.Held, 5000)},
			strings.Join(entries(10, "holding[%d].cookie: is required; holding[%[1]d].fence: must be at least 1, got 0"), "; ") + "; and 9980 more"},
		{"a batch of results is not empty", api.Results{}, "session: is required; results: is empty"},
		{"a bad result does not spoil its batch", api.Results{Session: "s", Results: make([]api.Result, 1)}, ""},
		{"all problems of a result are told at once", api.Result{RC: "FINE"}, `cookie: is required; fence: must be at least 1, got 0; rc: unknown code "FINE"`},
		{"an event names its lease, its place and its kind", api.Events{Session: "s", Events: []api.RunEvent{{Data: json.RawMessage(a(16385))}}},
			`events[0].cookie: is required; events[0].fence: must be at least 1, got 0; events[0].n: must be from 1 to 4294967295, got 0; events[0].at: is required; ` +
				`events[0].kind: "" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit; events[0].data: is larger than 16384 bytes`},

		{"a RUN packet", run, ""},
		{"all problems of a RUN packet are told at once", api.Packet{PacketType: api.PacketRun, Variables: json.RawMessage(`"x"`), TimeoutMS: -1, Delivery: "d"},
			`RUN packet: cookie: is required; fence: must be at least 1, got 0; pipeline: is required; variables: must be a JSON object; timeout_ms: must be at least 0, got -1; delivery: must be "at_least_once" or "at_most_once", got "d"`},
		{"a CANCEL packet names its lease", api.Packet{PacketType: api.PacketCancel}, "CANCEL packet: cookie: is required; fence: must be at least 1, got 0"},
		{"a SHUTDOWN packet needs nothing", api.Packet{PacketType: api.PacketShutdown}, ""},
		{"a packet type of a newer server", api.Packet{PacketType: "PAUSE"}, `packet type "PAUSE" is not known to this worker`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.body.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Validate()\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestValidateSaysWhatItIs(t *testing.T) {
	t.Parallel()
	if err := (api.Submit{}).Validate(); api.CodeOf(err) != api.CodeInvalidRequest {
		t.Errorf("Submit.Validate() = %v with code %q, want %q", err, api.CodeOf(err), api.CodeInvalidRequest)
	}
	for want, p := range map[api.RC]api.Packet{
		api.RCBadPacket:             {PacketType: api.PacketRun},
		api.RCUnsupportedPacketType: {PacketType: "PAUSE"},
	} {
		var bad *api.PacketError
		if err := p.Validate(); !errors.As(err, &bad) || bad.RC != want {
			t.Errorf("Packet.Validate() of %s = %v, want a PacketError with %s", p.PacketType, err, want)
		}
	}
}
