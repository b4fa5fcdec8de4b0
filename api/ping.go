package api

// A Ping says whom a caller has reached, and as whom.
type Ping struct {
	Version string  `json:"version"` // of the server
	Token   string  `json:"token"`   // its name
	Scopes  []Scope `json:"scopes"`
	// Worker is the only worker that the token may act as. Empty is any.
	Worker string `json:"worker,omitempty"`
	// Full says that the disk of the server's SQLite database is full: what is new is
	// refused then.
	Full bool `json:"full,omitempty"`
}

// Allows reports whether the token may make calls that need the scope.
func (p Ping) Allows(needed Scope) bool { return Allow(p.Scopes, needed) }
