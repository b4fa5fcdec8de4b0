package api

import "time"

// An AuditEntry is one change that a token made, but for workers at their work.
type AuditEntry struct {
	At     time.Time   `json:"at"`
	Actor  string      `json:"actor"` // name of the token
	Action AuditAction `json:"action"`
	Target string      `json:"target"` // a run's cookie or a worker's name
	Detail string      `json:"detail,omitempty"`
}

// An AuditAction is what was done.
type AuditAction string

// The actions.
const (
	AuditSubmit   AuditAction = "submit"
	AuditCancel   AuditAction = "cancel"
	AuditRequeue  AuditAction = "requeue"
	AuditShutdown AuditAction = "shutdown" // of a worker
)

// An AuditList is one page of entries, newest first.
type AuditList struct {
	Entries []AuditEntry `json:"entries"`
	Next    string       `json:"next,omitempty"` // cursor of the following page
}
