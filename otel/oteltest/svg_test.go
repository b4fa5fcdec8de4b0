package oteltest_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/otel/oteltest"
)

func TestSVG(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	got := oteltest.SVG("A <run>", []oteltest.Span{
		{TraceID: "t", SpanID: "1", Service: "pullrun-server", Name: "POST /v1/runs", Start: at(0), End: at(100)},
		{TraceID: "t", SpanID: "2", ParentID: "1", Service: "pullrun-worker", Name: "process default", Start: at(50), End: at(100),
			Status: "error", Attributes: map[string]string{"error.type": "Oops", "pullrun.attempt": "2"}},
	})
	texts := textOf(t, got)
	for _, want := range []string{"A <run>", "pullrun-server", "pullrun-worker", "POST /v1/runs", "process default · attempt 2", "100ms", "50ms Oops", "20ms", "80ms"} {
		if !strings.Contains(texts, "\n"+want+"\n") {
			t.Errorf("the picture does not say %q:\n%s", want, texts)
		}
	}
	for what, want := range map[string]string{
		"the first bar, as wide as the picture":  `<rect x="320.0" y="84" width="644.0" height="12" rx="2" fill="#0d8f83">`,
		"the second, from the half, as an error": `<rect x="642.0" y="108" width="322.0" height="12" rx="2" fill="#d9822b" stroke="#c8303d" stroke-width="2">`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not there, %s:\n%s", what, want, got)
		}
	}
	if got := oteltest.SVG("nothing", nil); got != "" {
		t.Errorf("SVG() of no spans = %q, want none", got)
	}
}

// textOf is what an XML document says, a line for each text.
func textOf(t *testing.T, document string) string {
	t.Helper()
	var b strings.Builder
	for d := xml.NewDecoder(strings.NewReader(document)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return "\n" + b.String()
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, document)
		}
		if text, ok := token.(xml.CharData); ok {
			fmt.Fprintln(&b, strings.TrimSpace(string(text)))
		}
	}
}
