package chips_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

// direct are options without any proxy of the machine's.
func direct() chips.Options {
	return chips.Options{HTTP: chips.HTTPOptions{Proxy: noProxy}}
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// site serves what the tests ask for.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Two", "a")
		w.Header().Add("X-Two", "b")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"method": r.Method, "query": r.URL.RawQuery, "body": string(body),
			"type": r.Header.Get("Content-Type"), "key": r.Header.Get("X-Key"), "baggage": r.Header.Get("Baggage"),
			"trace": r.Header.Get("Traceparent"), "auth": r.Header.Get("Authorization"), "host": r.Host,
		})
	})
	mux.HandleFunc("/status/404", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "gone", http.StatusNotFound) })
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 5000)) })
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, strings.Repeat("x", 2_000_000))
		_ = z.Close()
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("u"), http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "short")
	})
	mux.HandleFunc("/binary", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 'a'}) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestRequests(t *testing.T) {
	s := site(t)
	for _, tt := range []struct {
		name, chip string
		params     map[string]any
		want       map[string]any // of the echo
	}{
		{"http_request", "http.http_request", map[string]any{"method": "PUT", "url": "/echo?a=1", "content": "hi", "headers": map[string]any{"X-Key": "k"}},
			map[string]any{"method": "PUT", "query": "a=1", "body": "hi", "key": "k"}},
		{"post_json_object", "http.post_json_object", map[string]any{"url": "/echo", "content": map[string]any{"a": 1}},
			map[string]any{"method": "POST", "body": `{"a":1}`, "type": "application/json"}},
		{"get with a query", "http.get", map[string]any{"url": "/echo?a=1", "query": map[string]any{"b": "x y"}},
			map[string]any{"method": "GET", "query": "a=1&b=x+y", "body": ""}},
		{"post of JSON", "http.post", map[string]any{"url": "/echo", "json": []any{1, "x"}},
			map[string]any{"method": "POST", "body": `[1,"x"]`, "type": "application/json"}},
		{"delete", "http.delete", map[string]any{"url": "/echo"}, map[string]any{"method": "DELETE"}},
		{"the long name", "reasonchip.chipsets.http.patch", map[string]any{"url": "/echo"}, map[string]any{"method": "PATCH"}},
		{"a host header", "http.get", map[string]any{"url": "/echo", "headers": map[string]any{"Host": "elsewhere"}}, map[string]any{"host": "elsewhere"}},
		{"a user in the URL", "http.get", map[string]any{"url": "user@/echo"}, map[string]any{"auth": "Basic dXNlcjpwYXNz"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := tt.params["url"].(string)
			if rest, ok := strings.CutPrefix(u, "user@"); ok {
				tt.params["url"] = strings.Replace(s.URL, "http://", "http://user:pass@", 1) + rest
			} else {
				tt.params["url"] = s.URL + u
			}
			got, err := call(t, direct(), tt.chip, tt.params)
			if err != nil || got["status"] != "OK" || got["status_code"] != 200.0 {
				t.Fatalf("response = %v, %v, want OK", got, err)
			}
			echo, _ := got["json"].(map[string]any)
			for key, want := range tt.want {
				if echo[key] != want {
					t.Errorf("the server got %s = %v, want %v", key, echo[key], want)
				}
			}
			if headers := got["headers"].(map[string]any); headers["x-two"] != "a, b" {
				t.Errorf("headers = %v, want x-two: a, b", headers)
			}
			if strings.Contains(fmt.Sprint(got["url"]), "pass") {
				t.Errorf("url = %v holds the password", got["url"])
			}
		})
	}
}

func TestWhatGoesWrongIsAStatus(t *testing.T) {
	s := site(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	opts := direct()
	opts.HTTP.MaxBody = 1000
	for _, tt := range []struct {
		name, url string
		status    string
		code      any
		message   string
	}{
		{"an error code is a response", s.URL + "/status/404", "OK", 404.0, ""},
		{"bytes that are no text", s.URL + "/binary", "OK", 200.0, ""},
		{"no answer in time", s.URL + "/hang", "TIMEOUT_ERROR", nil, ""},
		{"too much", s.URL + "/large", "ERROR", nil, "the response is larger than 1000 bytes"},
		{"too much once it is unpacked", s.URL + "/bomb", "ERROR", nil, "the response is larger than 1000 bytes"},
		{"redirects for ever", s.URL + "/loop", "TOO_MANY_REDIRECTS", nil, "more than 10 redirects"},
		{"a redirect to a file", s.URL + "/to?u=file:///etc/passwd", "UNSUPPORTED_PROTOCOL_ERROR", nil, `redirected to a URL of scheme "file"`},
		{"nobody there", closed.URL + "/?token=s3cret", "NETWORK_ERROR", nil, ""},
		{"broken off", s.URL + "/broken", "STREAM_ERROR", nil, ""},
		{"no scheme", "example.org/?token=s3cret", "INVALID_URL", nil, `the URL wants http or https, not ""`},
		{"another scheme", "ftp://example.org", "INVALID_URL", nil, `the URL wants http or https, not "ftp"`},
		{"no host", "http:///x", "INVALID_URL", nil, "the URL has no host"},
		{"nonsense", "http://[s3cret/", "INVALID_URL", nil, "the URL cannot be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			timeout := 5.0
			if tt.status == "TIMEOUT_ERROR" {
				timeout = 0.1
			}
			got, err := call(t, opts, "http.get", map[string]any{"url": tt.url, "timeout": timeout})
			if err != nil || got["status"] != tt.status || got["status_code"] != tt.code {
				t.Fatalf("response = %v, %v, want %s and %v", got, err, tt.status, tt.code)
			}
			if tt.status != "OK" && got["error_message"] == nil || tt.message != "" && got["error_message"] != tt.message {
				t.Errorf("error_message = %v, want %q", got["error_message"], tt.message)
			}
			if strings.Contains(fmt.Sprint(got["error_message"]), "s3cret") {
				t.Errorf("error_message = %v holds part of the URL", got["error_message"])
			}
		})
	}
}

func TestARedirectIsFollowedUnlessToldOtherwise(t *testing.T) {
	s := site(t)
	got, err := call(t, direct(), "http.get", map[string]any{"url": s.URL + "/to?u=/echo"})
	if err != nil || got["status_code"] != 200.0 || got["url"] != s.URL+"/echo" {
		t.Errorf("response = %v, %v, want the page after the redirect", got, err)
	}
	got, err = call(t, direct(), "http.get", map[string]any{"url": s.URL + "/to?u=/echo", "follow_redirects": false})
	if err != nil || got["status_code"] != 302.0 {
		t.Errorf("response = %v, %v, want the redirect itself", got, err)
	}
}

func TestHeadersAreNotToldToAnotherHost(t *testing.T) {
	s, other := site(t), site(t)
	headers := map[string]any{"X-Key": "k", "Authorization": "Bearer t", "Accept": "text/plain"}
	for to, want := range map[string]string{s.URL: "k", other.URL: ""} {
		got, err := call(t, direct(), "http.get", map[string]any{"url": s.URL + "/to?u=" + to + "/echo", "headers": headers})
		if err != nil {
			t.Fatal(err)
		}
		if echo := got["json"].(map[string]any); echo["key"] != want || (echo["auth"] != "") != (want != "") {
			t.Errorf("after a redirect from %s to %s the server got %v", s.URL, to, echo)
		}
	}
}

func TestARequestEndsWithItsRun(t *testing.T) {
	s := site(t)
	cause := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
	_, err := callWith(t, ctx, direct(), "http.get", map[string]any{"url": s.URL + "/hang"})
	if !errors.Is(err, cause) {
		t.Errorf("Run() = %v, want %v", err, cause)
	}
}

// tracer is a wrapped transport that adds what a tracer adds.
type tracer struct {
	next  http.RoundTripper
	calls *int
}

func (t tracer) RoundTrip(req *http.Request) (*http.Response, error) {
	*t.calls++
	req = req.Clone(req.Context())
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	req.Header.Set("Baggage", "customer=4711")
	return t.next.RoundTrip(req)
}

func TestTheTraceGoesOutAndBaggageNever(t *testing.T) {
	s := site(t)
	opts, calls := direct(), 0
	opts.HTTP.Wrap = func(next http.RoundTripper) http.RoundTripper { return tracer{next, &calls} }
	got, err := call(t, opts, "http.get", map[string]any{"url": s.URL + "/to?u=/echo"})
	if err != nil {
		t.Fatal(err)
	}
	echo := got["json"].(map[string]any)
	if echo["trace"] == "" || echo["baggage"] != "" || calls != 2 {
		t.Errorf("the server got %v after %d calls, want a trace and no baggage after 2", echo, calls)
	}
}

// refusedURLs lead to link-local addresses and to where clouds keep
// credentials, in many spellings.
var refusedURLs = []string{
	"http://169.254.169.254/latest/meta-data/",
	"http://169.254.0.1/",
	"https://169.254.169.254/",
	"http://[::ffff:169.254.169.254]/",
	"http://[::ffff:a9fe:a9fe]/",
	"http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
	"http://[::169.254.169.254]/",
	"http://[64:ff9b::169.254.169.254]/",
	"http://[64:ff9b::a9fe:a9fe]/",
	"http://[64:ff9b:1::a9fe:a9fe]/",
	"http://[2002:a9fe:a9fe::1]/",
	"http://[2001:0:5ef5:79fd:0:59d:5601:5601]/",
	"http://[fe80::1]/",
	"http://[fe80::1%25lo]/",
	"http://[fd00:ec2::254]/",
	"http://[fec0::1]/",
	"http://[ff02::1]/",
	"http://[::]/",
	"http://0.0.0.0/",
	"http://0.1.2.3/",
	"http://224.0.0.1/",
	"http://255.255.255.255/",
	"http://240.0.0.1/",
	"http://100.100.100.200/",
	"http://168.63.129.16/",
	"http://192.0.0.192/",
	"http://user:pass@169.254.169.254/",
	"http://169.254.169.254:80/",
	"http://metadata.test/", // the tests' DNS leads it there
	"http://mapped.test/",
}

// privateURLs lead to private addresses.
var privateURLs = []string{
	"http://127.0.0.1:1/", "http://127.9.9.9:1/", "http://[::1]:1/", "http://[::ffff:127.0.0.1]:1/",
	"http://10.0.0.1:1/", "http://172.16.0.1:1/", "http://172.31.255.255:1/", "http://192.168.1.1:1/", "http://100.64.0.1:1/",
	"http://198.18.0.1:1/", "http://[fc00::1]:1/", "http://[fd12::1]:1/", "http://[64:ff9b::10.0.0.1]:1/", "http://[2002:c0a8:101::1]:1/",
	"http://private.test:1/",
}

func TestAddressesAreRefused(t *testing.T) {
	open, closed := direct(), direct()
	closed.HTTP.RefusePrivate = true
	resolver := fakeDNS(t)
	open.HTTP.Resolver, closed.HTTP.Resolver = resolver, resolver
	for _, u := range refusedURLs {
		t.Run(u, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, open, u)
		})
	}
	for _, u := range append(privateURLs, refusedURLs...) {
		t.Run("private/"+u, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, closed, u)
		})
	}
}

func wantRefused(t *testing.T, opts chips.Options, u string) {
	t.Helper()
	got, err := call(t, opts, "http.get", map[string]any{"url": u, "timeout": 2})
	var e *engine.Error
	if !errors.As(err, &e) || e.Class != engine.ChipException || e.CauseClass() != "AddressRefused" {
		t.Errorf("GET %s = %v, %v, want it refused", u, got, err)
	}
}

func TestARedirectToARefusedAddressIsRefused(t *testing.T) {
	s := site(t)
	for _, u := range []string{"http://169.254.169.254/", "http://[::ffff:a9fe:a9fe]/", "http://[64:ff9b::a9fe:a9fe]/"} {
		wantRefused(t, direct(), s.URL+"/to?u="+url.QueryEscape(u))
	}
}

func TestAProxyIsNotAWayAround(t *testing.T) {
	asked := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Host
		_, _ = io.WriteString(w, "from the proxy")
	}))
	t.Cleanup(proxy.Close)
	through, _ := url.Parse(proxy.URL)
	opts := chips.Options{HTTP: chips.HTTPOptions{Proxy: http.ProxyURL(through), Resolver: fakeDNS(t)}}
	for _, u := range append([]string{"http://both.test/"}, refusedURLs...) { // one of its addresses is good
		wantRefused(t, opts, u)
	}
	for _, u := range []string{"http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://169.254.43518/", "http://0xa9.0xfe.0xa9.0xfe./"} {
		got, err := call(t, opts, "http.get", map[string]any{"url": u})
		if err == nil && got["status"] == "OK" {
			t.Errorf("GET %s = %v, want it refused", u, got)
		}
	}
	if len(asked) > 0 {
		t.Errorf("the proxy was asked for %s", <-asked)
	}
	opts.HTTP.RefusePrivate = true // of what is asked for, not of the proxy
	got, err := call(t, opts, "http.get", map[string]any{"url": "http://public.test/"})
	if err != nil || got["text"] != "from the proxy" {
		t.Errorf("response = %v, %v, want the proxy's", got, err)
	}
	got, err = call(t, opts, "http.get", map[string]any{"url": "http://unknown.test/"})
	if err != nil || got["text"] != "from the proxy" {
		t.Errorf("response = %v, %v, want the proxy's for a name that only it knows", got, err)
	}
}
