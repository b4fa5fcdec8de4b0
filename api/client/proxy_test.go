package client_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pullrun/pullrun/api/client"
)

// A forwarder is a forward proxy that asks for a user and a password.
type forwarder struct {
	*httptest.Server
	status  int // in place of the connection, unless it is zero
	user    string
	carried atomic.Int32 // connections and plain requests
}

func newForwarder(t *testing.T, user string) *forwarder {
	t.Helper()
	f := &forwarder{user: user}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *forwarder) serve(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(f.user))
	switch {
	case f.user != "" && r.Header.Get("Proxy-Authorization") != want:
		w.WriteHeader(http.StatusProxyAuthRequired)
	case f.status != 0:
		w.WriteHeader(f.status)
	case r.Method == http.MethodConnect:
		f.carried.Add(1)
		f.tunnel(w, r)
	default:
		f.carried.Add(1)
		r.RequestURI = ""
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // the caller sees the end
	}
}

func (f *forwarder) tunnel(w http.ResponseWriter, r *http.Request) {
	server, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n") // its end is the tunnel's
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{here: server, server: here} {
		both.Go(func() {
			_, _ = io.Copy(to, from) // its end is both's
			_ = to.Close()           // as above
		})
	}
	both.Wait()
}

func TestProxy(t *testing.T) {
	secure, caFile := overTLS(t, answer(200, ended))
	plain := httptest.NewServer(answer(200, ended))
	defer plain.Close()
	open, guarded, closed := newForwarder(t, ""), newForwarder(t, "edge:sesame"), newForwarder(t, "")
	closed.status = http.StatusForbidden
	lost := newForwarder(t, "")
	lost.status = http.StatusServiceUnavailable
	at := func(f *forwarder) string { return strings.TrimPrefix(f.URL, "http://") }
	for _, tt := range []struct {
		name      string
		transport client.Transport
		through   *forwarder
		want      string // of the error
	}{
		{"a proxy carries the calls", client.Transport{Proxy: open.URL}, open, ""},
		{"also one that asks who is there", client.Transport{Proxy: guarded.URL, ProxyUser: "edge", ProxyPassword: password("sesame")}, guarded, ""},
		{"none is none", client.Transport{Proxy: client.NoProxy}, nil, ""},
		{"without a password it does not", client.Transport{Proxy: guarded.URL}, nil,
			"proxy " + at(guarded) + " answers 407 Proxy Authentication Required; it wants other server.proxy_user and server.proxy_password"},
		{"with a wrong one neither", client.Transport{Proxy: guarded.URL, ProxyUser: "edge", ProxyPassword: password("hunter2")}, nil,
			"proxy " + at(guarded) + " answers 407 Proxy Authentication Required; it wants other server.proxy_user and server.proxy_password"},
		{"it may refuse", client.Transport{Proxy: closed.URL}, nil, "proxy " + at(closed) + " answers 403 Forbidden; it must allow CONNECT to "},
		{"it may not reach the server", client.Transport{Proxy: lost.URL}, nil, "proxy " + at(lost) + " answers 503 Service Unavailable; it cannot reach "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			urls := []string{secure, plain.URL}
			if tt.want != "" {
				urls = urls[:1] // a plain answer of the proxy is any answer
			}
			for _, to := range urls {
				tt.transport.CAFile = ""
				if to == secure {
					tt.transport.CAFile = caFile
				}
				var before int32
				if tt.through != nil {
					before = tt.through.carried.Load()
				}
				err := submit(t.Context(), newClient(t, client.Config{URL: to, Transport: tt.transport}))
				switch {
				case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("Submit(%s) = %v, want %q", to, err, tt.want)
				case err != nil && (strings.Contains(err.Error(), "hunter2") || !client.Retryable(err)):
					t.Errorf("Submit(%s) = %v, want no password in it, and that it may be tried again", to, err)
				}
				if tt.through != nil && tt.through.carried.Load() == before {
					t.Errorf("Submit(%s) did not go through the proxy", to)
				}
			}
		})
	}
}

func TestProxyFor(t *testing.T) {
	for _, tt := range []struct {
		name      string
		env       map[string]string
		transport client.Transport
		server    string
		proxy     string // "" is none
		why       string
	}{
		{"the environment names it", map[string]string{"HTTPS_PROXY": "http://proxy:3128"}, client.Transport{}, "https://server", "http://proxy:3128", "HTTPS_PROXY says so"},
		{"in lower case too, and without a scheme", map[string]string{"https_proxy": "proxy:3128"}, client.Transport{}, "https://server", "http://proxy:3128", "HTTPS_PROXY says so"},
		{"each scheme has its own", map[string]string{"HTTPS_PROXY": "http://proxy:3128"}, client.Transport{}, "http://server", "", "neither server.proxy nor HTTP_PROXY is set"},
		{"a name is excepted", map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a.example,server"}, client.Transport{}, "https://server", "", "HTTPS_PROXY is set, but not for this server: NO_PROXY excepts it, or it is this machine"},
		{"a network is excepted", map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "10.1.0.0/16"}, client.Transport{}, "https://10.1.200.3:8443", "", "HTTPS_PROXY is set, but not for this server: NO_PROXY excepts it, or it is this machine"},
		{"another is not", map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "10.1.0.0/16"}, client.Transport{}, "https://10.2.200.3:8443", "http://proxy:3128", "HTTPS_PROXY says so"},
		{"a port is excepted", map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "server:8443"}, client.Transport{}, "https://server:8443", "", "HTTPS_PROXY is set, but not for this server: NO_PROXY excepts it, or it is this machine"},
		{"the setting goes before", map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, client.Transport{Proxy: "socks5://other:1080"}, "https://server", "socks5://other:1080", "server.proxy says so"},
		{"none goes before", map[string]string{"HTTPS_PROXY": "http://proxy:3128"}, client.Transport{Proxy: client.NoProxy}, "https://server", "", "server.proxy is none"},
		{"user and password are added", map[string]string{"HTTPS_PROXY": "http://proxy:3128"}, client.Transport{ProxyUser: "me", ProxyPassword: password("pw")}, "https://server", "http://me:pw@proxy:3128", "HTTPS_PROXY says so"},
		{"unless it has some", map[string]string{"HTTPS_PROXY": "http://you:too@proxy:3128"}, client.Transport{ProxyUser: "me", ProxyPassword: password("pw")}, "https://server", "http://you:too@proxy:3128", "HTTPS_PROXY says so"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} {
				t.Setenv(name, "")
				t.Setenv(strings.ToLower(name), "")
			}
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			server, err := url.Parse(tt.server)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tt.transport.ProxyFor(server)
			proxy := ""
			if got.URL != nil {
				proxy = got.URL.String()
			}
			if err != nil || proxy != tt.proxy || got.Why != tt.why {
				t.Errorf("ProxyFor() = %q because %q, %v, want %q because %q", proxy, got.Why, err, tt.proxy, tt.why)
			}
		})
	}
	t.Run("what is no address is refused, and not repeated", func(t *testing.T) {
		for _, value := range []string{"http://me:sesame@", "ftp://me:sesame@proxy", "http://me:ses ame@proxy"} {
			t.Setenv("HTTPS_PROXY", value)
			t.Setenv("https_proxy", "")
			_, err := client.New(client.Config{URL: "https://server"})
			if err == nil || strings.Contains(err.Error(), "ame") && strings.Contains(err.Error(), "ses") {
				t.Errorf("New() with %s = %v, want an error without the password", value, err)
			}
		}
	})
}

func password(text string) func() string { return func() string { return text } }

// A password that changes is shown from the next connection on, whichever names
// the proxy.
func TestProxyPasswordIsOfNow(t *testing.T) {
	t.Parallel()
	now := "old"
	way := client.Transport{Proxy: "http://proxy:3128", ProxyUser: "me", ProxyPassword: func() string { return now }}
	transport, err := way.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, now = range []string{"old", "new"} {
		proxy, err := transport.Proxy(httptest.NewRequest("GET", "https://server", nil))
		if want := "http://me:" + now + "@proxy:3128"; err != nil || proxy.String() != want {
			t.Errorf("Proxy() = %v, %v, want %s", proxy, err, want)
		}
	}
}

// An error names the proxy that is not there, and does not ask after the server.
func TestAProxyThatIsNotThere(t *testing.T) {
	t.Parallel()
	gone := newForwarder(t, "")
	gone.Close()
	at := strings.TrimPrefix(gone.URL, "http://")
	for _, server := range []string{"https://server.test", "http://server.test"} {
		err := submit(t.Context(), newClient(t, client.Config{URL: server, Transport: client.Transport{Proxy: gone.URL}}))
		want := "server " + server + ": proxy " + at + " (server.proxy says so): dial tcp " + at + ": connect: connection refused; is the proxy running?"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("Submit() = %v, want %s", err, want)
		}
	}
}

// Nobody is told of a proxy's password.
func TestProxyPasswordIsNotTold(t *testing.T) {
	t.Parallel()
	gone := newForwarder(t, "")
	gone.Close()
	_, err := client.New(client.Config{URL: "https://server", Transport: client.Transport{Proxy: "http://me:sesame@"}})
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("New() = %v", err)
	}
	c := newClient(t, client.Config{URL: "https://server.test", Transport: client.Transport{Proxy: gone.URL, ProxyUser: "me", ProxyPassword: password("sesame")}})
	err = submit(t.Context(), c)
	if err == nil || strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("me:sesame"))) {
		t.Errorf("Submit() = %v, want an error without the password", err)
	}
	if answered := (*client.ProxyError)(nil); errors.As(err, &answered) {
		t.Errorf("Submit() = %v, want that the proxy is not there", err)
	}
}
