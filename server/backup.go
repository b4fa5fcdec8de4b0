package server

import (
	"io"
	"net/http"
	"strconv"

	"github.com/pullrun/pullrun/api"
)

// backupPiece is how much of a backup is sent under one deadline, in bytes.
const backupPiece = 4 << 20

// backup sends a copy of the database.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) error {
	copied, err := s.store.Backup(r.Context(), s.store.Now(), caller(r).Name)
	if err != nil {
		return err
	}
	defer copied.Close()
	info, err := copied.Stat()
	if err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "database is backed up", "bytes", info.Size(), "by", caller(r).Name)
	w.Header().Set("Content-Type", api.BackupType)
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.WriteHeader(http.StatusOK)
	for err == nil {
		extend(w, 0)
		_, err = io.CopyN(w, copied, backupPiece)
	}
	return nil // the length says whether all of it has arrived
}
