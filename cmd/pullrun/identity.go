package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/api/client/credential"
	"github.com/pullrun/pullrun/configs"
)

// identity is how a worker shows who it is: by the token of its settings, or by
// the credential that it got for an enrolment.
type identity struct {
	cfg           configs.Worker
	token         *secretFile
	proxyPassword *secretFile
	keeper        *credential.Keeper // nil where the settings have a token
	log           *slog.Logger
}

// openIdentity finds what the worker has to show. hiding gives for a setting what
// is told every secret that comes up there.
func openIdentity(cfg configs.Worker, name string, hiding func(setting string) (hide func(string)), log *slog.Logger) (*identity, error) {
	id := &identity{
		cfg: cfg, log: log, token: newSecretFile(cfg.Server.Token, cfg.Server.TokenFile, hiding("server.token"), log),
		proxyPassword: newSecretFile(cfg.Server.ProxyPassword, cfg.Server.ProxyPasswordFile, hiding("server.proxy_password"), log),
	}
	if !cfg.Server.Token.IsZero() {
		return id, nil
	}
	file := cfg.CredentialFile
	if file == configs.AutoCredential {
		state, err := stateDir()
		if err != nil {
			return nil, err
		}
		file = filepath.Join(state, "credentials", name)
	}
	var err error
	id.keeper, err = credential.Open(credential.Config{File: file, Worker: name, Learnt: hiding("credential_file")}, log)
	return id, err
}

// show is the token of now, for every call.
func (id *identity) show() string {
	if id.keeper == nil {
		return id.token.read()
	}
	return id.keeper.Token()
}

// replacing reports whether what is shown is about to be replaced.
func (id *identity) replacing() bool { return id.keeper != nil && id.keeper.Replacing() }

// client is a client that shows a token and, to a proxy, the password of now.
// replacing may be nil.
func (id *identity) client(token func() string, replacing func() bool) (*client.Client, error) {
	return newClient(id.cfg.Server, connection{token: token, replacing: replacing, proxyPassword: id.proxyPassword.read, log: id.log})
}

// replace puts the secrets of other settings in the place of those before.
func (id *identity) replace(r configs.Remote) {
	if id.keeper == nil {
		id.token.replace(r.Token, r.TokenFile)
	}
	id.proxyPassword.replace(r.ProxyPassword, r.ProxyPasswordFile)
}

// enrol sees to it that there is something to show, if the settings say how.
func (id *identity) enrol(ctx context.Context) error {
	if id.keeper == nil {
		return nil
	}
	enrolment := id.cfg.EnrolToken.Reveal()
	c, err := id.client(func() string { return enrolment }, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	return id.keeper.Enrol(ctx, enrolment, c)
}

// errEnrolAgain says what to do about a credential that the server does not accept.
var errEnrolAgain = errors.New("enrol this worker again, with an enrolment from \"pullrun tokens create --enrol\"")

// explain adds the remedy to a refusal.
func (id *identity) explain(err error) error {
	if api.CodeOf(err) == api.CodeUnauthorized && id.show() != "" && id.keeper != nil {
		return fmt.Errorf("%w; %w", err, errEnrolAgain)
	}
	return err
}

// keep replaces a credential in time, until ctx ends or the server refuses to.
func (id *identity) keep(ctx context.Context) error {
	if id.keeper == nil {
		return nil
	}
	c, err := id.client(id.show, nil) // a refusal is for the keeper to judge
	if err != nil {
		return err
	}
	defer c.Close()
	return id.keeper.Run(ctx, c)
}
