package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/otel"
)

// clientFiles are where commands look for settings besides flags and variables.
func clientFiles() []string {
	if dir, err := os.UserConfigDir(); err == nil {
		return []string{filepath.Join(dir, "pullrun", "client.yaml")}
	}
	return nil
}

// clientRetries is how often a call of a command is repeated: some seconds,
// for a server that is just starting.
const clientRetries = 4

// remote is what a command that talks to a server starts from.
type remote struct {
	client *client.Client
	watch
}

// connect reads the settings of a client command and makes its client. Where
// nothing says which server to talk to, it is the one that "pullrun dev" runs
// here, if it does.
func connect(t terminal, cmd *cobra.Command) (remote, error) {
	cfg, sources, err := configs.Load[configs.Client](configs.LoadOptions{Search: clientFiles(), Flags: cmd.Flags()})
	if err != nil {
		return remote{}, err
	}
	if !isSet(sources, "server.url") && cfg.Server.Token.IsZero() {
		if dev, ok := readDevFile(); ok {
			cfg.Server.URL, cfg.Server.Token = configs.NewURL(dev.URL), configs.NewSecret(dev.Token)
		}
	}
	c, err := newClient(cfg.Server, connection{token: cfg.Server.Token.Reveal, proxyPassword: cfg.Server.ProxyPassword.Reveal, retries: clientRetries})
	if err != nil {
		return remote{}, err
	}
	w, err := newWatch(cmd.Context(), t, "pullrun-client", cfg.Log, configs.SecretsOf(cfg)...)
	if err != nil {
		return remote{}, err
	}
	return remote{client: c, watch: w}, nil
}

// A connection is what a client of a server has beside the settings.
type connection struct {
	token, proxyPassword func() string // of now
	replacing            func() bool   // as of [client.Config]; may be nil
	retries              int
	log                  *slog.Logger // may be nil
}

// newClient makes a client. Its error is one of the settings.
func newClient(r configs.Remote, o connection) (*client.Client, error) {
	way := transportOf(r, o.proxyPassword)
	way.Log = o.log
	c, err := client.New(client.Config{
		URL:       r.URL.Reveal(),
		Token:     o.token,
		Replacing: o.replacing,
		UserAgent: "pullrun/" + version(),
		Retries:   o.retries,
		Transport: way,
		Wrap:      otel.Transport,
	})
	if err != nil {
		return nil, usageError(err)
	}
	return c, nil
}

// transportOf says how the settings want a server to be reached.
func transportOf(r configs.Remote, proxyPassword func() string) client.Transport {
	return client.Transport{
		CAFile: r.CAFile, CertFile: r.CertFile, KeyFile: r.KeyFile,
		Proxy: r.Proxy.Reveal(), ProxyUser: r.ProxyUser, ProxyPassword: proxyPassword,
	}
}

func isSet(sources configs.Sources, key string) bool {
	for _, s := range sources {
		if s.Key == key {
			return s.From != "default"
		}
	}
	return false
}

// devFile tells the commands of this user how to reach the server that
// "pullrun dev" runs.
type devFile struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

func devFilePath() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "pullrun-dev.json")
	}
	return filepath.Join(os.TempDir(), "pullrun-dev-"+strconv.Itoa(os.Getuid())+".json")
}

// readDevFile reads the file, unless somebody else could have written it.
func readDevFile() (devFile, bool) {
	var d devFile
	path := devFilePath()
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return d, false
	}
	raw, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(raw, &d) != nil {
		return d, false
	}
	return d, d.URL != ""
}

// write puts the file there for as long as the server runs.
func (d devFile) write() (remove func(), err error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	path := devFilePath()
	temporary := path + "." + strconv.Itoa(os.Getpid())
	if err := os.WriteFile(temporary, raw, 0o600); err != nil {
		return nil, fmt.Errorf("tell other commands about this server: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return nil, fmt.Errorf("tell other commands about this server: %w", err)
	}
	return func() {
		if now, ok := readDevFile(); ok && now == d {
			_ = os.Remove(path) // the next "pullrun dev" replaces it
		}
	}, nil
}
