package chips_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

// anybody answers every request with the same JSON.
type anybody struct{}

func (anybody) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r,
		Header: http.Header{"Allow": {"GET, POST"}},
		Body:   io.NopCloser(strings.NewReader(`[{"customer": "Ada"}]`)),
	}, nil
}

// standard gives the standard chips, in a world where everybody answers.
func standard() *engine.Chips {
	return engine.NewChips(chips.Standard(chips.Options{
		HTTP:    chips.HTTPOptions{Wrap: func(http.RoundTripper) http.RoundTripper { return anybody{} }},
		Process: chips.ProcessOptions{Allow: []string{"/bin/*", "/usr/bin/*"}},
	})...)
}

// Every chip has an example, which loads without a warning, calls the chip and
// gives what it says, or what shows that the request was answered.
func TestExamples(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"http.http_request": `[{"customer":"Ada"}]`,
		"http.get":          `[{"customer":"Ada"}]`,
		"http.options":      `"GET, POST"`,
		"http.head":         `true`,
	}
	for _, c := range standard().All() {
		t.Run(c.Name(), func(t *testing.T) {
			t.Parallel()
			ex, ok := chips.ExampleOf(c.Name())
			if !ok {
				t.Fatal("there is no example")
			}
			if !strings.Contains(ex.Pipeline, "chip: "+c.Name()+"\n") {
				t.Errorf("the example does not call the chip:\n%s", ex.Pipeline)
			}
			col, err := engine.Load(engine.LoadOptions{
				FS:    fstest.MapFS{"main.yml": {Data: []byte(ex.Pipeline)}},
				Chips: standard(), Strict: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := col.Run(t.Context(), engine.Input{Pipeline: "main"})
			if err != nil {
				t.Fatal(err)
			}
			want := ex.Result
			switch {
			case answers[c.Name()] != "":
				want = answers[c.Name()]
			case strings.HasPrefix(c.Name(), "http."):
				want = "200"
			case c.Name() == "utils.time.now":
				if !strings.HasPrefix(string(out.Result), `"checked on 2`) {
					t.Errorf("Run() = %s, want a date", out.Result)
				}
				return
			}
			if string(out.Result) != want {
				t.Errorf("Run() = %s, want %s", out.Result, want)
			}
		})
	}
}

func TestNoExampleOfAnUnknownChip(t *testing.T) {
	t.Parallel()
	if ex, ok := chips.ExampleOf("http.trace"); ok {
		t.Errorf("ExampleOf() = %v", ex)
	}
}
