package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSchema(t *testing.T) {
	t.Parallel()
	type definition struct {
		Enum  []any
		AnyOf []struct{ Enum []any }
	}
	type schema struct {
		Schema      string `json:"$schema"`
		Definitions map[string]definition
	}
	code, out, log := within(t, "schema")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	s := decode[schema](t, out)
	if s.Schema != "http://json-schema.org/draft-07/schema#" {
		t.Errorf("$schema is %q", s.Schema)
	}
	if chip := s.Definitions["field.chip"]; len(chip.AnyOf) == 0 || !slices.Contains(chip.AnyOf[0].Enum, any("http.get")) {
		t.Errorf("the chips are %+v", chip)
	}
	if d := s.Definitions["field.dispatch"]; d.Enum != nil {
		t.Errorf("without a directory, the pipelines are %q", d.Enum)
	}
	_, out, _ = within(t, "schema", "../../examples")
	want := []any{"fail", "fail_billing", "transform", "url_check"}
	for _, field := range []string{"field.dispatch", "field.branch"} {
		if d := decode[schema](t, out).Definitions[field]; !slices.Equal(d.Enum, want) {
			t.Errorf("%s wants one of %q, want %q", field, d.Enum, want)
		}
	}
	if code, _, log := within(t, "schema", "nowhere"); code != exitUsage || !strings.Contains(log, `open pipelines: open nowhere`) {
		t.Errorf("exit code %d, %s", code, log)
	}
}
