package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
)

// pathTimeout bounds the one call that the path is judged by.
const pathTimeout = 20 * time.Second

// A route is what one call has seen of the way to the server.
type route struct {
	server    *url.URL
	proxy     client.ProxyChoice
	host      string   // that was looked up and connected to: the proxy's or the server's
	addresses []string // that DNS has for it
	connected string   // address of the connection
	chain     []*x509.Certificate
	tls       uint16 // version
	untrusted error  // why the chain is not
	asked     bool   // whether there was asked for a certificate of the worker
	proto     string
	status    string
	kind      string        // content type of the answer
	skew      time.Duration // the server's clock less ours, give or take precision
	precision time.Duration
	err       error // of the call
}

// path checks every step to the server, by one call that is watched, and returns
// what it has seen. The error in it is nil if a server of ours has answered.
func (d *doctor) path(cfg configs.Remote) *route {
	r, err := travel(d.ctx, cfg)
	if err != nil {
		d.report("proxy", fail("mend the setting or the variable", "%v", err))
		return &route{err: err}
	}
	d.report("dns", r.dnsCheck())
	d.report("proxy", r.proxyCheck())
	d.report("connect", r.connectCheck())
	if r.server.Scheme == "https" {
		d.report("tls", r.tlsCheck())
	}
	d.report("http", r.httpCheck())
	if r.err == nil {
		d.report("clock", r.clockCheck())
	} else {
		d.report("clock", skip("needs an answer of the server"))
	}
	return r
}

// travel calls /livez and watches how.
func travel(ctx context.Context, cfg configs.Remote) (*route, error) {
	r := &route{}
	var err error
	if r.server, err = url.Parse(strings.TrimRight(cfg.URL.Reveal(), "/") + "/livez"); err != nil {
		return nil, errors.New("server.url is no address")
	}
	way := transportOf(cfg, cfg.ProxyPassword.Reveal)
	if r.proxy, err = way.ProxyFor(r.server); err != nil {
		return nil, err
	}
	r.host = r.server.Hostname()
	if r.proxy.URL != nil {
		r.host = r.proxy.URL.Hostname()
	}
	transport, err := way.Build()
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	r.look(transport.TLSClientConfig)
	ctx, cancel := context.WithTimeoutCause(ctx, pathTimeout, fmt.Errorf("no answer within %s", pathTimeout))
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone: func(i httptrace.DNSDoneInfo) {
			for _, a := range i.Addrs {
				r.addresses = append(r.addresses, a.String())
			}
		},
		ConnectDone: func(_, addr string, err error) {
			if err == nil {
				r.connected = addr
			}
		},
	})
	r.ask(ctx, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	return r, nil
}

// look has the certificates noted before they are judged, so that a chain that
// is not trusted can be told of. They are judged as ever.
func (r *route) look(config *tls.Config) {
	roots := config.RootCAs
	config.InsecureSkipVerify = true // VerifyConnection does
	hops := []string{r.server.Hostname()}
	if r.proxy.URL != nil && r.proxy.URL.Scheme == "https" {
		hops = []string{r.proxy.URL.Hostname(), r.server.Hostname()}
	}
	show := config.GetClientCertificate
	config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		r.asked = true
		if show == nil {
			return &tls.Certificate{}, nil // which is none
		}
		return show(info)
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		// The state has no name where the host is an address.
		opts := x509.VerifyOptions{Roots: roots, DNSName: hops[0], Intermediates: x509.NewCertPool()}
		if len(hops) > 1 {
			hops = hops[1:]
		}
		for _, cert := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		chains, err := state.PeerCertificates[0].Verify(opts)
		r.chain, r.tls, r.untrusted = state.PeerCertificates, state.Version, err
		if err == nil {
			r.chain = chains[0]
		}
		return err
	}
}

// ask makes the call and notes what came of it.
func (r *route) ask(ctx context.Context, c *http.Client) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.String(), nil)
	if err != nil {
		r.err = err
		return
	}
	began := time.Now()
	resp, err := c.Do(req)
	if err != nil {
		r.err = err
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			r.err = failed.Err
		}
		if cause := context.Cause(ctx); cause != nil {
			r.err = cause
		}
		return
	}
	defer resp.Body.Close()
	took := time.Since(began)
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // the beginning is enough
	r.proto, r.status, r.kind = resp.Proto, resp.Status, resp.Header.Get("Content-Type")
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// The header has whole seconds, so it is half a second behind on average.
		r.precision = took/2 + 500*time.Millisecond
		r.skew = at.Add(500 * time.Millisecond).Sub(began.Add(took / 2))
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"version"`) {
		r.err = errNotOurs
	}
}

var errNotOurs = errors.New("the answer is not a pullrun server's")

func (r *route) dnsCheck() finding {
	whose := ""
	if r.proxy.URL != nil {
		whose = "; the server's name is looked up by the proxy"
	}
	var dns *net.DNSError
	switch {
	case net.ParseIP(r.host) != nil:
		return ok("%s is an address%s", r.host, whose)
	case errors.As(r.err, &dns):
		advice := "check the name in server.url, and this machine's resolver (/etc/resolv.conf)"
		switch {
		case r.proxy.URL != nil:
			advice = "check the proxy's name, and this machine's resolver (/etc/resolv.conf)"
		case dns.IsTimeout || dns.IsTemporary:
			advice = "no resolver answers (/etc/resolv.conf); where only a proxy can be reached, name it in server.proxy"
		}
		return fail(advice, "%v", dns)
	case len(r.addresses) == 0:
		return ok("%s was not looked up", r.host)
	}
	return ok("%s is %s%s", r.host, strings.Join(r.addresses, ", "), whose)
}

func (r *route) proxyCheck() finding {
	var refused *client.ProxyError
	switch {
	case r.proxy.URL == nil:
		return ok("none: %s", r.proxy.Why)
	case errors.As(r.err, &refused):
		return fail(map[int]string{
			http.StatusProxyAuthRequired: "set server.proxy_user and server.proxy_password_file to what it wants; it takes Basic alone from us",
			http.StatusForbidden:         "whoever runs the proxy must allow CONNECT to " + refused.Target,
		}[refused.Status], "%v", refused)
	}
	return ok("%s: %s%s", r.proxy.URL.Redacted(), r.proxy.Why, who(r.proxy.URL))
}

// who says as whom a proxy is used.
func who(proxy *url.URL) string {
	if proxy.User == nil {
		return ", without a user"
	}
	return fmt.Sprintf(", as %q", proxy.User.Username())
}

func (r *route) connectCheck() finding {
	var dns *net.DNSError
	var op *net.OpError
	what := "server"
	if r.proxy.URL != nil {
		what = "proxy"
	}
	switch {
	case errors.As(r.err, &dns):
		return skip("needs an address")
	case r.connected != "":
		return ok("to the %s at %s", what, r.connected)
	case errors.As(r.err, &op) && op.Op == "dial", r.err != nil:
		advice := "check host and port, that the " + what + " runs, and that a firewall lets this machine out to it"
		if r.proxy.URL == nil {
			advice += "; where only a proxy can be reached, name it in server.proxy"
		}
		return fail(advice, "%v", r.err)
	}
	return ok("to the %s", what)
}

// interceptors are what those call themselves who sell proxies that open TLS.
var interceptors = []string{"zscaler", "netskope", "palo alto", "fortinet", "fortigate", "blue coat", "symantec web", "cisco umbrella", "sophos", "check point", "forcepoint", "mcafee web", "squid", "mitmproxy", "untangle", "watchguard", "barracuda", "iboss"}

func (r *route) tlsCheck() finding {
	if r.chain == nil {
		if r.connected == "" || errors.As(r.err, new(*client.ProxyError)) {
			return skip("needs a connection")
		}
		if r.err != nil && r.status == "" {
			return fail("check that this is the port of an HTTPS server, and that nothing on the path speaks TLS of its own", "%v", r.err)
		}
		return skip("was not spoken")
	}
	leaf := r.chain[0]
	seen := fmt.Sprintf("certificate for %s, by %q", names(leaf), leaf.Issuer.String())
	left := time.Until(leaf.NotAfter)
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(r.untrusted, &unknown):
		advice := "if that is the server's own authority, name its certificate in server.ca_file"
		issuer := strings.ToLower(leaf.Issuer.String())
		for _, name := range interceptors {
			if strings.Contains(issuer, name) {
				advice = "this looks like a proxy that opens TLS: name the certificate of its authority in server.ca_file, or have it leave this server alone"
			}
		}
		if r.proxy.URL != nil {
			advice += "; if it is the proxy's, the proxy opens TLS: name its authority there, or have it leave this server alone"
		}
		return fail(advice, "%s, which this machine does not trust", seen)
	case errors.As(r.untrusted, &host):
		return fail("call the server by a name that its certificate has, or have it one for "+r.server.Hostname(), "%s, and not for %s", seen, r.server.Hostname())
	case errors.As(r.untrusted, &invalid) && invalid.Reason == x509.Expired:
		return fail("renew the server's certificate, or set this machine's clock", "%s, good from %s until %s, and it is %s here", seen,
			leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly), time.Now().Format(time.DateOnly))
	case r.untrusted != nil:
		return fail("mend the server's certificate", "%s: %v", seen, r.untrusted)
	case r.unspoken() && r.asked:
		return fail("name one that the server's tls.client_ca_file has issued in server.cert_file and server.key_file",
			"%s, but the server asks for a certificate of this worker and ends with %q", seen, r.err)
	case r.unspoken():
		return fail("see the server's log", "%s, but the server ends with %q", seen, r.err)
	case left < 7*24*time.Hour:
		return warn("renew the server's certificate", "%s, %s, good for %s more", tls.VersionName(r.tls), seen, days(left))
	}
	return ok("%s, %s, good for %s more", tls.VersionName(r.tls), seen, days(left))
}

// unspoken reports whether the server has ended TLS once it had shown a certificate
// that is trusted: by an alert, whose type is not exported, or, as one that asks
// for a certificate may, by closing the connection.
func (r *route) unspoken() bool {
	return r.err != nil && r.status == "" && (r.asked || strings.Contains(r.err.Error(), "tls:"))
}

// names are those that a certificate is for.
func names(cert *x509.Certificate) string {
	all := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return fmt.Sprintf("no name, of %q", cert.Subject.String())
	}
	if len(all) > 4 {
		all = append(all[:4], fmt.Sprintf("%d more", len(all)-4))
	}
	return strings.Join(all, ", ")
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func (r *route) httpCheck() finding {
	switch {
	case r.status == "" && (r.connected == "" || errors.As(r.err, new(*client.ProxyError))):
		return skip("needs a connection")
	case r.status == "" && r.server.Scheme == "https" && (r.chain == nil || r.untrusted != nil || r.unspoken()):
		return skip("needs TLS")
	case r.status == "":
		return fail("check that server.url has the right port and begins with http or https as the server does", "%v", r.err)
	case r.err != nil && strings.HasPrefix(r.kind, "application/problem+json"):
		return fail("check the path in server.url", "a pullrun server answers, but GET %s is %s there", r.server.Path, r.status)
	case r.err != nil:
		return fail("something else answers at this address: check server.url, and what stands before the server", "GET %s answers %s (%s), which is not a pullrun server's", r.server.Path, r.status, r.kind)
	}
	return ok("a pullrun server answers, over %s", r.proto)
}

// muchSkew is from when on people are misled by the times in a trace.
const muchSkew = 5 * time.Second

func (r *route) clockCheck() finding {
	off := r.skew.Abs().Round(100 * time.Millisecond)
	switch {
	case r.precision == 0:
		return skip("the answer has no date")
	case off <= r.precision:
		return ok("agrees with the server's")
	case off < muchSkew:
		return ok("%s off the server's", off)
	}
	whose := "behind"
	if r.skew < 0 {
		whose = "ahead of"
	}
	return warn("set the clock of whichever is wrong, by NTP; nothing is lost by it, but logs and traces mislead, and certificates may seem not to be good", "%s %s the server's", off, whose)
}
