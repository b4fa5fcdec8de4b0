package api

import "time"

// An AuditEntry is one change that a token made, or a backup, but for workers at
// their work.
type AuditEntry struct {
	At     time.Time   `json:"at"`
	Actor  string      `json:"actor"` // name of the token
	Action AuditAction `json:"action"`
	Target string      `json:"target"` // a run's cookie, a worker's name, a token's id, or "database"
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
	AuditBackup   AuditAction = "backup"   // of the database

	AuditTokenCreate AuditAction = "token_create"
	AuditTokenRevoke AuditAction = "token_revoke"
	AuditEnrol       AuditAction = "enrol" // of a worker
)

var auditActions = map[AuditAction]bool{
	AuditSubmit: true, AuditCancel: true, AuditRequeue: true, AuditShutdown: true, AuditBackup: true,
	AuditTokenCreate: true, AuditTokenRevoke: true, AuditEnrol: true,
}

// Valid reports whether a is an action of this version of the protocol.
func (a AuditAction) Valid() bool { return auditActions[a] }

// An AuditList is one page of entries, newest first.
type AuditList struct {
	Entries []AuditEntry `json:"entries"`
	Next    string       `json:"next,omitempty"` // cursor of the following page
}
