package manager_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
)

// A mask hides what it was told, as far as these tests write it.
type mask struct{ secrets []string }

func (m *mask) Learn(secret string) { m.secrets = append(m.secrets, secret) }

func (m *mask) String(text string) string {
	for _, s := range m.secrets {
		text = strings.ReplaceAll(text, s, "HIDDEN")
	}
	return text
}

func (m *mask) JSON(document []byte) []byte { return []byte(m.String(string(document))) }

// What a run gives and how it fails leaves the worker without secrets: those of
// its settings and those that the pipeline has named meanwhile.
func TestResultsCarryNoSecrets(t *testing.T) {
	t.Parallel()
	type keeper interface{ Secret(value string) }
	fail := &engine.Error{Class: "ValueError", Message: "hunter2-settings and hunter2-pipeline", Frames: []engine.Frame{{Pipeline: "hunter2-settings", Number: 1}}}
	for name, end := range map[string]func() (engine.Output, error){
		"result": func() (engine.Output, error) {
			return engine.Output{Result: json.RawMessage(`["hunter2-settings hunter2-pipeline"]`)}, nil
		},
		"failure": func() (engine.Output, error) { return engine.Output{}, fail },
		"error": func() (engine.Output, error) {
			return engine.Output{}, errors.New("no hunter2-settings hunter2-pipeline")
		},
	} {
		bubble(t, name, func(t *testing.T) {
			masked := &mask{secrets: []string{"hunter2-settings"}}
			srv := &server{}
			m := manager.New(manager.Config{Worker: "w", Capacity: 1, Redactor: masked}, pipelines{"p": func(_ context.Context, in engine.Input) (engine.Output, error) {
				in.Observer.(keeper).Secret("hunter2-pipeline")
				return end()
			}}, srv.report, slog.New(slog.DiscardHandler))
			m.Handle(run("a", "p"))
			if err := m.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := slices.Concat(srv.batches...)
			if len(got) != 1 {
				t.Fatalf("results %+v, want one", got)
			}
			raw, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(raw), "hunter2") || !strings.Contains(string(raw), "HIDDEN") {
				t.Errorf("the result is %s", raw)
			}
		})
	}
}
