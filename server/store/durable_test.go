package store

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/server/store/storetest"
)

func TestRefusedServers(t *testing.T) {
	t.Parallel()
	good := durability{version: 140000, encoding: "UTF8", fsync: "on", fullPages: "on", commit: "local"}
	for _, tt := range []struct {
		name string
		edit func(*durability)
		want string // in the refusal; empty is none
	}{
		{name: "one that keeps what it commits", edit: func(*durability) {}},
		{name: "an old one", edit: func(d *durability) { d.version = 130016 }, want: "version 13.16; at least 14"},
		{name: "a standby", edit: func(d *durability) { d.standby = true }, want: "name the primary"},
		{name: "one that only reads", edit: func(d *durability) { d.readOnly = true }, want: "default_transaction_read_only = off"},
		{name: "another encoding", edit: func(d *durability) { d.encoding = "LATIN1" }, want: "ENCODING 'UTF8'"},
		{name: "no fsync", edit: func(d *durability) { d.fsync = "off" }, want: "fsync = on"},
		{name: "no full pages", edit: func(d *durability) { d.fullPages = "off" }, want: "full_page_writes = on"},
		{name: "commits that do not wait", edit: func(d *durability) { d.commit = "off" }, want: "synchronous_commit = on"},
	} {
		d := good
		tt.edit(&d)
		if err := d.refusal(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: refusal() = %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What the address asks for is asserted, or put right, on the connection that
// writes.
func TestSessionIsDurable(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	url := storetest.URL(t)
	o := Options{Log: slog.New(slog.DiscardHandler)}
	if _, err := Open(t.Context(), url+"&default_transaction_read_only=on", o); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("Open(read-only) = %v, want it refused", err)
	}
	s, err := Open(t.Context(), url+"&synchronous_commit=off", o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var commit string
	if _, err := write(t.Context(), s.writer, scriptStart, func(t *tx) (bool, error) {
		return t.row(`SELECT current_setting('synchronous_commit')`, []any{&commit})
	}); err != nil || commit != "on" {
		t.Errorf("synchronous_commit is %q, %v, want on", commit, err)
	}
}

// A connection to a server that only reads any more, as one does that has become a
// standby, is given up for a new one.
func TestConnectionThatOnlyReads(t *testing.T) {
	storetest.Only(t, storetest.Postgres)
	t.Parallel()
	s, _ := openTest(t, Options{})
	_, err := write(t.Context(), s.writer, scriptStart, func(t *tx) (struct{}, error) {
		return struct{}{}, t.exec(`SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY`)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, created, err := s.Submit(t.Context(), scriptStart, newRun("a")); err != nil || !created {
		t.Errorf("Submit() = %v, %v, want it recorded through another connection", created, err)
	}
}
