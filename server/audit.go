package server

import (
	"fmt"
	"net/http"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

func (s *Server) listAudit(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := number(q.Get("limit"), defaultListed, 1, api.MaxListed)
	if err != nil {
		return api.Errorf(api.CodeInvalidRequest, "limit: %w", err)
	}
	var from store.AuditCursor
	if cursor := q.Get("cursor"); cursor != "" {
		if _, err := fmt.Sscanf(cursor, "%d-%d", &from.Entry, &from.Run); err != nil || from.Entry < 0 || from.Run < 0 {
			return api.Errorf(api.CodeInvalidRequest, "cursor: take it from the page before, got %q", cursor)
		}
	}
	f := store.AuditFilter{Actor: q.Get("actor"), Action: store.Action(q.Get("action")), Target: q.Get("target")}
	if f.Action != "" && !api.AuditAction(f.Action).Valid() {
		return api.Errorf(api.CodeInvalidRequest, "action: unknown action %q", f.Action)
	}
	if f.Since, err = moment(q, "since"); err != nil {
		return err
	}
	entries, next, err := s.store.Audit(r.Context(), f, from, int(limit))
	if err != nil {
		return err
	}
	out := api.AuditList{Entries: make([]api.AuditEntry, len(entries))}
	for i, e := range entries {
		out.Entries[i] = api.AuditEntry{At: e.At, Actor: e.Actor, Action: api.AuditAction(e.Action), Target: e.Target, Detail: e.Detail}
	}
	if next != (store.AuditCursor{}) {
		out.Next = fmt.Sprintf("%d-%d", next.Entry, next.Run)
	}
	return reply(w, http.StatusOK, out)
}
