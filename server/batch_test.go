package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// Each submit of a batch is judged on its own and answered in its place.
func TestBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit(api.Submit{Cookie: "taken"})
	ctx := context.WithValue(t.Context(), badEntry{}, true)
	a, err := w.send(w.request(ctx, "POST", "/v1/runs/batch", api.SubmitBatch{Runs: []api.Submit{
		{Pipeline: "p", Cookie: "c1"}, {Pipeline: "../p"}, {Pipeline: "p", Cookie: "taken"}, {Pipeline: "p2", Cookie: "taken"}, {Pipeline: "p"},
	}}))
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("batch = %d %s, %v", a.status, a.body, err)
	}
	var got []string
	for _, r := range into[api.SubmitBatchResult](t, a).Results {
		switch {
		case r.Problem != nil && r.Run == nil:
			got = append(got, string(r.Problem.Code))
		case r.Run != nil && r.Problem == nil:
			got = append(got, string(r.Run.State))
		}
	}
	if diff := cmp.Diff([]string{"QUEUED", "INVALID_REQUEST", "QUEUED", "COOKIE_COLLISION", "QUEUED"}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if list := into[api.RunList](t, w.want(200, "GET", "/v1/runs", nil)); len(list.Runs) != 3 {
		t.Errorf("%d runs are listed, want 3", len(list.Runs))
	}
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/batch", `{"runs": []}`)
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/batch", api.SubmitBatch{Runs: make([]api.Submit, api.MaxBatch+1)})

	many := api.SubmitBatch{Runs: make([]api.Submit, api.MaxBatch)}
	var newest []string
	for i := range many.Runs {
		many.Runs[i] = api.Submit{Pipeline: "p", Cookie: fmt.Sprint("in-order-", i)}
		newest = slices.Insert(newest, 0, many.Runs[i].Cookie)
	}
	for i, r := range into[api.SubmitBatchResult](t, w.want(200, "POST", "/v1/runs/batch", many)).Results {
		if r.Run == nil {
			t.Fatalf("submit %d of %d = %+v, want a run", i, len(many.Runs), r.Problem)
		}
	}
	var listed []string
	for _, run := range into[api.RunList](t, w.want(200, "GET", "/v1/runs?limit=500", nil)).Runs {
		listed = append(listed, run.Cookie)
	}
	newest = newest[:min(500, len(newest))]
	if diff := cmp.Diff(newest, listed[:len(newest)]); diff != "" {
		t.Errorf("runs in the order of the batch, newest first (-want +got):\n%s", diff)
	}
}

// One submit that cannot be decoded is refused in its place, by field, and the
// others are taken.
func TestBatchWithOneOfAnotherType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.WithValue(t.Context(), badEntry{}, true)
	body := `{"runs": [{"pipeline": "p", "cookie": "a"}, {"pipeline": "p", "not_before": "x"}, {"pipeline": "p", "cookie": 5},
		5, null, {"pipeline": "p", "labels": {"a": "b", "c": 1}}, {"pipeline": "p", "queue": "Q"}, {"pipeline": "p", "not_before": 7}, {"pipeline": "p", "cookie": "b"}]}`
	a, err := w.send(w.request(ctx, "POST", "/v1/runs/batch", body))
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("batch = %d %s, %v", a.status, a.body, err)
	}
	var got []string
	for _, r := range into[api.SubmitBatchResult](t, a).Results {
		if r.Problem != nil {
			got = append(got, r.Problem.Message)
			continue
		}
		got = append(got, r.Run.Cookie)
	}
	want := []string{
		"a",
		`runs[1]: not_before: wants a time such as 2026-11-25T10:00:00Z, got "x"`,
		"runs[2]: cookie: must be text, got number",
		"runs[3]: must be an object",
		"runs[4]: must be an object",
		"runs[5]: labels: must be text, got number",
		`runs[6]: queue: "Q" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit`,
		`runs[7]: not_before: wants a time such as 2026-11-25T10:00:00Z, got "7"`,
		"b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/batch", `{"runs": {}}`)
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/batch", `{"runs": null}`)
}
