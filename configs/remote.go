package configs

import "net/url"

// Remote is a server as its workers and clients reach it.
type Remote struct {
	URL           URL    `mapstructure:"url" doc:"Address of the server, with the path if a proxy puts it below one."`
	Token         Secret `mapstructure:"token" doc:"Token that the server knows, with the scope work for a worker and submit or read for a client. Empty sends none, which a server on its own machine accepts."`
	TokenFile     string `mapstructure:"token_file" doc:"File that holds the token. Not together with token."`
	CAFile        string `mapstructure:"ca_file" doc:"File with PEM certificates to trust besides the system's, for a server with a certificate of one's own. Needs an https address."`
	CertFile      string `mapstructure:"cert_file" doc:"File with the PEM certificate to show to a server that asks for one, and those between it and the authority. Together with key_file. A new one is used for new connections, without a restart."`
	KeyFile       string `mapstructure:"key_file" doc:"File with the certificate's PEM key. Together with cert_file."`
	Proxy         URL    `mapstructure:"proxy" doc:"Proxy to reach the server through, for example http://proxy.example.com:3128; https, socks5 and socks5h are spoken too. Or none, to connect directly. Empty takes it from HTTPS_PROXY or HTTP_PROXY, unless NO_PROXY excepts the server."`
	ProxyUser     string `mapstructure:"proxy_user" doc:"User to show to the proxy, whichever names it. Empty shows none."`
	ProxyPassword Secret `mapstructure:"proxy_password" doc:"Password to show to the proxy."`

	ProxyPasswordFile string `mapstructure:"proxy_password_file" doc:"File that holds the password for the proxy. Not together with proxy_password."`
}

func defaultRemote() Remote { return Remote{URL: NewURL("http://127.0.0.1:8080")} }

func (r Remote) check(c *check) {
	c.base("server.url", r.URL)
	if r.CAFile != "" && !hasScheme(r.URL, "https") {
		c.add("server.ca_file", "is of no use unless server.url begins with https")
	}
	c.pair("server.cert_file", r.CertFile, "server.key_file", r.KeyFile)
	if r.CertFile != "" && !hasScheme(r.URL, "https") {
		c.add("server.cert_file", "is of no use unless server.url begins with https")
	}
	r.checkProxy(c)
}

// NoProxy is the Remote.Proxy that connects directly.
const NoProxy = "none"

func (r Remote) checkProxy(c *check) {
	const key = "server.proxy"
	switch text := r.Proxy.Reveal(); text {
	case "", NoProxy:
	default:
		u, err := url.Parse(text)
		switch {
		case err != nil || !hasScheme(r.Proxy, "http", "https", "socks5", "socks5h") || u.Host == "":
			c.add(key, `wants none, or an address, for example "http://proxy.example.com:3128"`)
		case u.User != nil:
			c.add(key, "must not hold a user or password; that is what server.proxy_user and server.proxy_password_file are for")
		case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
			c.add(key, "must end with the port, got %q", r.Proxy)
		}
	}
	if r.ProxyUser == "" && !r.ProxyPassword.IsZero() {
		c.add("server.proxy_password", "wants server.proxy_user beside it")
	}
	if r.ProxyUser != "" && r.Proxy.Reveal() == NoProxy {
		c.add("server.proxy_user", "is of no use while server.proxy is none")
	}
}
