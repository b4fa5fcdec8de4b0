package configs

// Remote is a server as its workers and clients reach it.
type Remote struct {
	URL       URL    `mapstructure:"url" doc:"Address of the server, with the path if a proxy puts it below one. HTTPS_PROXY and NO_PROXY are honoured."`
	Token     Secret `mapstructure:"token" doc:"Token that the server knows, with the scope work for a worker and submit or read for a client. Empty sends none, which a server on its own machine accepts."`
	TokenFile string `mapstructure:"token_file" doc:"File that holds the token. Not together with token."`
	CAFile    string `mapstructure:"ca_file" doc:"File with PEM certificates to trust besides the system's, for a server with a certificate of one's own. Needs an https address."`
}

func defaultRemote() Remote { return Remote{URL: NewURL("http://127.0.0.1:8080")} }

func (r Remote) check(c *check) {
	c.base("server.url", r.URL)
	if r.CAFile != "" && !hasScheme(r.URL, "https") {
		c.add("server.ca_file", "is of no use unless server.url begins with https")
	}
}
