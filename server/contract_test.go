package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/pullrun/pullrun"
	"github.com/pullrun/pullrun/api"
)

// contract is openapi.yaml, to which the client of every test holds the server.
var contract = loadDocument()

// A document judges calls. Requests may hold fields that it does not know, as
// the protocol asks; answers may not, or they would be undocumented.
type document struct {
	*openapi3.T
	lenient, strict routers.Router

	mu   sync.Mutex      // guards what follows
	made map[string]bool // operations that have succeeded, by id
}

func loadDocument() *document {
	d := &document{made: make(map[string]bool)}
	_, d.lenient = parse()
	d.T, d.strict = parse()
	for _, schema := range d.Components.Schemas {
		closeObject(schema)
	}
	for _, response := range d.Components.Responses {
		for _, content := range response.Value.Content {
			closeObject(content.Schema)
		}
	}
	for _, kind := range []string{"application/yaml", "text/event-stream", api.BackupType} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.PlainBodyDecoder)
	}
	return d
}

func parse() (*openapi3.T, routers.Router) {
	doc, err := openapi3.NewLoader().LoadFromData(pullrun.OpenAPI)
	if err != nil {
		panic(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		panic(err)
	}
	doc.Servers = nil // the tests' servers are elsewhere
	for _, schema := range doc.Components.Schemas {
		for _, property := range schema.Value.Properties {
			// The library takes a schema without a type for one that refuses null.
			if property.Ref == "" && property.Value.Type == nil {
				property.Value.Type = &openapi3.Types{"null", "boolean", "number", "string", "array", "object"}
			}
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	return doc, router
}

// closeObject lets an object have no properties but those it names.
func closeObject(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Ref != "" {
		return
	}
	s := ref.Value
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		s.AdditionalProperties.Has = new(bool)
	}
	closeObject(s.Items)
	for _, property := range s.Properties {
		closeObject(property)
	}
}

// missing are the operations that have not succeeded in any test.
func (d *document) missing() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, item := range d.Paths.Map() {
		for _, op := range item.Operations() {
			if !d.made[op.OperationID] {
				out = append(out, op.OperationID)
			}
		}
	}
	slices.Sort(out)
	return out
}

// check judges a call and what came of it.
func (d *document) check(r *http.Request, body []byte, resp *http.Response, answer []byte) error {
	route, params, err := d.strict.FindRoute(r)
	if err != nil || resp.StatusCode == http.StatusInternalServerError {
		return d.checkOutside(r, resp, answer)
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(r.Context(), out.SetBodyBytes(answer)); err != nil {
		return fmt.Errorf("the answer is not in the contract: %w", err)
	}
	if resp.StatusCode >= 400 {
		return checkProblem(resp.StatusCode, answer)
	}
	if documented := route.Operation.Responses.Status(resp.StatusCode).Value; len(documented.Content) == 0 && len(answer) > 0 {
		return fmt.Errorf("the contract has no body for %d", resp.StatusCode)
	}
	d.mu.Lock()
	d.made[route.Operation.OperationID] = true
	d.mu.Unlock()
	if r.Context().Value(badEntry{}) != nil {
		return nil
	}
	return d.checkRequest(r, body)
}

// badEntry marks, in a request's context, a batch with an entry that is not in
// the contract: the entry is refused and the batch is not.
type badEntry struct{}

func (d *document) checkRequest(r *http.Request, body []byte) error {
	route, params, err := d.lenient.FindRoute(r)
	if err != nil {
		return err
	}
	for name, value := range params { // as they were sent
		if params[name], err = url.PathUnescape(value); err != nil {
			return err
		}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, RejectWhenRequestBodyNotSpecified: true},
	})
	if err != nil {
		return fmt.Errorf("the request was taken and is not in the contract: %w", err)
	}
	return nil
}

// mayFail marks, in a request's context, a call in which the test makes the
// server fail.
type mayFail struct{}

// checkOutside judges answers that belong to no operation.
func (d *document) checkOutside(r *http.Request, resp *http.Response, answer []byte) error {
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
	case http.StatusInternalServerError:
		if r.Context().Value(mayFail{}) == nil {
			return fmt.Errorf("the server has failed")
		}
	default:
		return fmt.Errorf("the contract has no such call")
	}
	if kind := resp.Header.Get("Content-Type"); kind != "application/problem+json" {
		return fmt.Errorf("the answer is %q, want a problem", kind)
	}
	if err := d.visit("Problem", answer); err != nil {
		return err
	}
	return checkProblem(resp.StatusCode, answer)
}

// checkProblem sees to what a schema cannot say.
func checkProblem(status int, answer []byte) error {
	var e api.Error
	if err := json.Unmarshal(answer, &e); err != nil {
		return err
	}
	if e.Status != status || e.Code.Status() != status || e.Message == "" {
		return fmt.Errorf("the problem of status %d says %+v", status, e)
	}
	return nil
}

// visit checks JSON against one of the contract's schemas.
func (d *document) visit(schema string, raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	return d.Components.Schemas[schema].Value.VisitJSON(v, openapi3.EnableJSONSchema2020())
}

// A checked transport fails the test when a call or its answer is not in the
// contract, or when an answer holds a secret.
type checked struct {
	t       testing.TB
	next    http.RoundTripper
	secrets []string
}

// oneOfMany marks, in a request's context, a call that the test makes so often
// that judging each would be most of its time. The first of them is not marked.
type oneOfMany struct{}

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Value(oneOfMany{}) != nil {
		return c.next.RoundTrip(r)
	}
	sent := &lockedBuffer{}
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = teeBody{io.TeeReader(r.Body, sent), r.Body}
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK && resp.Header.Get("Content-Type") == "text/event-stream" {
		c.judge(r, nil, resp, nil)
		resp.Body = &checkedStream{body: resp.Body, c: c}
		return resp, nil
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it has been read
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	c.judge(r, sent.Bytes(), resp, answer)
	return resp, nil
}

func (c checked) judge(r *http.Request, body []byte, resp *http.Response, answer []byte) {
	if err := contract.check(r, body, resp, answer); err != nil {
		c.t.Errorf("%s %s %.300s\nanswered %d %.300s\n%v", r.Method, r.URL, body, resp.StatusCode, answer, err)
	}
	c.spill(answer)
}

func (c checked) spill(answer []byte) {
	for _, secret := range c.secrets {
		if bytes.Contains(answer, []byte(secret)) {
			c.t.Errorf("an answer holds a token: %s", answer)
		}
	}
}

// A checkedStream judges the events of a stream as they are read.
type checkedStream struct {
	body io.ReadCloser
	c    checked
	text []byte // not judged yet
}

func (s *checkedStream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.text = append(s.text, p[:n]...)
	for {
		event, rest, whole := bytes.Cut(s.text, []byte("\n\n"))
		if !whole {
			return n, err
		}
		s.text = rest
		s.judge(event)
	}
}

func (s *checkedStream) judge(event []byte) {
	fields := make(map[string]string)
	for line := range strings.SplitSeq(string(event), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		fields[name] += value
	}
	data, ok := fields["data"]
	if !ok {
		return // a comment
	}
	schema := "Event"
	if _, numbered := fields["id"]; !numbered {
		schema = map[string]string{api.EventState: "Run", api.EventProgress: "Progress"}[fields["event"]]
	}
	if err := contract.visit(schema, []byte(data)); err != nil {
		s.c.t.Errorf("event %s is no %s of the contract: %v", event, schema, err)
	}
	s.c.spill(event)
}

func (s *checkedStream) Close() error { return s.body.Close() }

type teeBody struct {
	io.Reader
	io.Closer
}

// A lockedBuffer may be written and read concurrently.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// last is the end of what was written, at most n bytes.
func (b *lockedBuffer) last(n int) []byte {
	all := b.Bytes()
	return all[max(0, len(all)-n):]
}
