package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/pullrun/pullrun/api"
)

// CreateToken issues a token. It is not repeated, for nobody would know of the
// one whose answer was lost.
func (c *Client) CreateToken(ctx context.Context, in api.NewToken) (api.IssuedToken, error) {
	var out api.IssuedToken
	err := c.do(ctx, c.once, call{method: http.MethodPost, path: "/v1/tokens", body: in, answer: into(&out, func(got api.IssuedToken) error {
		if api.TokenID(got.Text) == "" {
			return errors.New("it has no token")
		}
		return nil
	})})
	if err != nil {
		return out, errorf(err, "create token %q", in.Name)
	}
	return out, nil
}

// Tokens lists the tokens that the server has issued, the oldest first.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	var out api.TokenList
	if err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/tokens", answer: into(&out, nil)}); err != nil {
		return nil, errorf(err, "list tokens")
	}
	return out.Tokens, nil
}

// RevokeToken revokes the token with this id.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	if err := c.do(ctx, c.quick, call{method: http.MethodDelete, path: "/v1/tokens/" + id}); err != nil {
		return errorf(err, "revoke token %q", id)
	}
	return nil
}

// Enrol exchanges the client's token, an enrolment, for a credential. It is not
// repeated.
func (c *Client) Enrol(ctx context.Context, in api.NewCredential) (api.Enrolled, error) {
	out, err := c.exchange(ctx, "/v1/enrol", in)
	if err != nil {
		return out, errorf(err, "enrol worker %q", in.Worker)
	}
	return out, nil
}

// RotateCredential replaces the client's token, a worker's credential. It is not
// repeated.
func (c *Client) RotateCredential(ctx context.Context, in api.NewCredential) (api.Enrolled, error) {
	out, err := c.exchange(ctx, "/v1/workers/"+in.Worker+"/credential", in)
	if err != nil {
		return out, errorf(err, "replace the credential of worker %q", in.Worker)
	}
	return out, nil
}

func (c *Client) exchange(ctx context.Context, path string, in api.NewCredential) (out api.Enrolled, _ error) {
	return out, c.do(ctx, c.once, call{method: http.MethodPost, path: path, body: in, timeout: upkeep, answer: into(&out, func(got api.Enrolled) error {
		if got.RenewMS <= 0 {
			return errors.New("it does not say how long the credential is good for")
		}
		return nil
	})})
}
