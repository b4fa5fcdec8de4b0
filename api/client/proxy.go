package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// NoProxy is the [Transport.Proxy] that connects to the server directly,
// whatever the environment says.
const NoProxy = "none"

// ProxySchemes are those that a proxy's address may have.
var ProxySchemes = []string{"http", "https", "socks5", "socks5h"}

// A ProxyChoice is the proxy through which a server is reached.
type ProxyChoice struct {
	URL *url.URL // nil is none; holds the password, if there is one
	Why string   // what decided so, for people
}

// ProxyFor chooses the proxy for a server's address: the one that is set, or
// the one of HTTPS_PROXY or HTTP_PROXY unless NO_PROXY excepts the server.
func (t Transport) ProxyFor(server *url.URL) (ProxyChoice, error) {
	choose, err := t.proxyFunc()
	if err != nil {
		return ProxyChoice{}, err
	}
	proxy, err := choose(server)
	if err != nil {
		return ProxyChoice{}, err
	}
	variable := variableFor(server)
	switch value := getenv(variable); {
	case t.Proxy == NoProxy:
		return ProxyChoice{nil, "server.proxy is none"}, nil
	case t.Proxy != "":
		return ProxyChoice{proxy, "server.proxy says so"}, nil
	case proxy != nil:
		return ProxyChoice{proxy, variable + " says so"}, nil
	case value == "":
		return ProxyChoice{nil, "neither server.proxy nor " + variable + " is set"}, nil
	}
	return ProxyChoice{nil, variable + " is set, but not for this server: NO_PROXY excepts it, or it is this machine"}, nil
}

// proxyFunc gives the proxy for each address.
func (t Transport) proxyFunc() (func(*url.URL) (*url.URL, error), error) {
	switch t.Proxy {
	case NoProxy:
		return func(*url.URL) (*url.URL, error) { return nil, nil }, nil
	case "":
		return t.proxyFromEnvironment()
	}
	proxy, err := parseProxy(t.Proxy)
	if err != nil {
		return nil, fmt.Errorf("server.proxy %w", err)
	}
	return func(*url.URL) (*url.URL, error) { return t.authenticated(proxy), nil }, nil
}

func (t Transport) proxyFromEnvironment() (func(*url.URL) (*url.URL, error), error) {
	env := httpproxy.FromEnvironment()
	// What is no address would be ignored without a word.
	for name, value := range map[string]string{"HTTPS_PROXY": env.HTTPSProxy, "HTTP_PROXY": env.HTTPProxy} {
		if value == "" {
			continue
		}
		if !strings.Contains(value, "://") {
			value = "http://" + value
		}
		if _, err := parseProxy(value); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
	}
	choose := env.ProxyFunc()
	return func(u *url.URL) (*url.URL, error) {
		proxy, err := choose(u)
		return t.authenticated(proxy), err
	}, nil
}

// authenticated is a proxy's address with the user and the password that are set,
// unless it has its own.
func (t Transport) authenticated(proxy *url.URL) *url.URL {
	if proxy == nil || t.ProxyUser == "" || proxy.User != nil {
		return proxy
	}
	with, password := *proxy, ""
	if t.ProxyPassword != nil {
		password = t.ProxyPassword()
	}
	with.User = url.UserPassword(t.ProxyUser, password)
	return &with
}

// parseProxy reads a proxy's address. Its error does not repeat it, for it may
// hold a password.
func parseProxy(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || !slices.Contains(ProxySchemes, u.Scheme) || u.Host == "" {
		return nil, errors.New("must look like http://proxy.example.com:3128")
	}
	return u, nil
}

// variableFor is the variable that names the proxy for an address.
func variableFor(server *url.URL) string {
	if server.Scheme == "https" {
		return "HTTPS_PROXY"
	}
	return "HTTP_PROXY"
}

// getenv reads a variable in upper or lower case.
func getenv(name string) string {
	for _, n := range []string{strings.ToLower(name), name} {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}

// A ProxyError is a proxy that does not let the connection through.
type ProxyError struct {
	Proxy  string // host and port
	Target string // host and port that were asked for
	Status int
}

func (e *ProxyError) Error() string {
	said := fmt.Sprintf("proxy %s answers %d %s", e.Proxy, e.Status, http.StatusText(e.Status))
	switch e.Status {
	case http.StatusProxyAuthRequired:
		return said + "; it wants other server.proxy_user and server.proxy_password"
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return said + "; it must allow CONNECT to " + e.Target
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return said + "; it cannot reach " + e.Target
	}
	return said
}

// proxyAnswered is a transport's OnProxyConnectResponse.
func proxyAnswered(_ context.Context, proxy *url.URL, connect *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Proxy: proxy.Host, Target: connect.Host, Status: answer.StatusCode}
}
