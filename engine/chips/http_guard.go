package chips

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A RefusedError is an address that the http chips do not connect to.
type RefusedError struct {
	Addr netip.Addr
	Why  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("address %s is refused: %s", e.Addr, e.Why)
}

// A guard decides which addresses may be reached. It sees the addresses
// themselves, after any lookup and for each connection, so that neither a
// redirect nor a name that changes its answer leads around it.
type guard struct {
	refusePrivate bool
}

// ranges are refused in any case.
var ranges = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "it is no host"},
	{netip.MustParsePrefix("::/128"), "it is no host"},
	{netip.MustParsePrefix("169.254.0.0/16"), "it is link-local, where clouds keep credentials"},
	{netip.MustParsePrefix("fe80::/10"), "it is link-local"},
	{netip.MustParsePrefix("fec0::/10"), "it is site-local"},
	{netip.MustParsePrefix("224.0.0.0/4"), "it is multicast"},
	{netip.MustParsePrefix("ff00::/8"), "it is multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "it is reserved"},
	{netip.MustParsePrefix("fd00:ec2::/32"), "clouds keep credentials there"},
	{netip.MustParsePrefix("100.100.100.200/32"), "clouds keep credentials there"},
	{netip.MustParsePrefix("168.63.129.16/32"), "clouds keep credentials there"},
	{netip.MustParsePrefix("192.0.0.192/32"), "clouds keep credentials there"},
}

// private are refused by setting.
var private = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("fc00::/7"),
}

// embedding are IPv6 ranges whose addresses hold an IPv4 address from the
// given byte on.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},          // IPv4-compatible
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // NAT64 of one's own
	{netip.MustParsePrefix("2002::/16"), 2},       // 6to4
}

// teredo addresses hold an IPv4 address with its bits turned.
var teredo = netip.MustParsePrefix("2001::/32")

// check says why an address is refused, or nothing.
func (g guard) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	for _, r := range ranges {
		if r.prefix.Contains(addr) {
			return &RefusedError{addr, r.why}
		}
	}
	if g.refusePrivate {
		for _, p := range private {
			if p.Contains(addr) {
				return &RefusedError{addr, "it is private, which the worker's settings refuse"}
			}
		}
	}
	if inner, ok := embedded(addr); ok {
		if err := g.check(inner); err != nil {
			return &RefusedError{addr, "it stands for " + err.Error()}
		}
	}
	return nil
}

// embedded gives the IPv4 address that an IPv6 address stands for.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() || addr.IsLoopback() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	if teredo.Contains(addr) {
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	}
	for _, e := range embedding {
		if e.prefix.Contains(addr) {
			return netip.AddrFrom4([4]byte(b[e.at : e.at+4])), true
		}
	}
	return netip.Addr{}, false
}

// control is called with each address that is about to be connected to.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return g.check(ap.Addr())
}

func newTransport(opts HTTPOptions) http.RoundTripper {
	g := guard{opts.RefusePrivate}
	direct := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: opts.Resolver, Control: g.control}
	proxy := opts.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	base := &http.Transport{
		DialContext:           direct.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	proxied := base.Clone()
	proxied.Proxy = func(req *http.Request) (*url.URL, error) { return proxy(req) }
	proxied.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: opts.Resolver}).DialContext
	return &proxyAware{guard: g, proxy: proxy, resolver: opts.Resolver, direct: base, proxied: proxied}
}

// proxyAware sends a request directly or through a proxy. A proxy connects
// in our place, so the address is looked up and checked before it is asked.
// A name that only the proxy can look up is left to it.
type proxyAware struct {
	guard    guard
	proxy    func(*http.Request) (*url.URL, error)
	resolver *net.Resolver
	direct   *http.Transport
	proxied  *http.Transport
}

func (t *proxyAware) RoundTrip(req *http.Request) (*http.Response, error) {
	via, err := t.proxy(req)
	if err != nil {
		return nil, err
	}
	if via == nil {
		return t.direct.RoundTrip(req)
	}
	if err := t.checkHost(req.Context(), req.URL.Hostname()); err != nil {
		return nil, err
	}
	return t.proxied.RoundTrip(req)
}

func (t *proxyAware) checkHost(ctx context.Context, host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		return t.guard.check(addr)
	}
	if endsInNumber(host) {
		return fmt.Errorf("%q is no host name, and an address is written in full", host)
	}
	addrs, err := t.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil // only the proxy knows it
	}
	for _, addr := range addrs {
		if err := t.guard.check(addr); err != nil {
			return err
		}
	}
	return nil
}

// endsInNumber reports whether a host is one of the spellings that some
// programs read as an address: 2852039166, 0xa9fea9fe, 169.0376.43518.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil || strings.Trim(last, "0123456789") == ""
}
