package configs

import _ "embed"

// Client is what the commands that talk to a server need: run, cancel, runs,
// workers. Its variables are the worker's, so that a shell set up for one is
// set up for the other.
type Client struct {
	Server Remote `mapstructure:"server" doc:"The server to talk to."`
	Log    Log    `mapstructure:"log" doc:"What is written to standard error."`
}

// DefaultClient talks to a server on the same machine.
func DefaultClient() Client {
	log := defaultLog()
	log.Level = "warn" // a command says what it did by itself
	return Client{Server: defaultRemote(), Log: log}
}

// Validate reports everything that is wrong at once, as Problems.
func (c Client) Validate() error {
	var check check
	c.Server.check(&check)
	c.Log.check(&check)
	return check.err()
}

//go:embed client.yaml
var clientFile string

// ClientFile returns the default settings as a commented file.
func ClientFile() string { return clientFile }

func (Client) defaults() Client { return DefaultClient() }
