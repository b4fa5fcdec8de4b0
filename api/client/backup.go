package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pullrun/pullrun/api"
)

// backupTimeout bounds a backup. It is sent from a file that is made first.
const backupTimeout = 24 * time.Hour

// Backup writes a copy of the server's database to out, and tells progress,
// which may be nil, how many bytes of how many have arrived. It is not
// repeated, and what was written is of no use unless it returns nil.
func (c *Client) Backup(ctx context.Context, out io.Writer, progress func(done, total int64)) error {
	err := c.do(ctx, c.once, call{method: http.MethodGet, path: "/v1/backup", timeout: backupTimeout, answer: func(resp *http.Response) error {
		if got := resp.Header.Get("Content-Type"); got != api.BackupType || resp.ContentLength <= 0 {
			return fmt.Errorf("the answer is a %q of %d bytes, which is no backup", got, resp.ContentLength)
		}
		in := &counted{from: resp.Body, total: resp.ContentLength, progress: progress}
		_, err := io.Copy(out, in)
		return err
	}})
	if err != nil {
		return errorf(err, "back up")
	}
	return nil
}

// counted tells how far reading has come.
type counted struct {
	from        io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return n, err
}
