package outbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"

	"github.com/pullrun/pullrun/api"
)

// A record is a header of three numbers (little endian, 32 bits each), which are
// the length of the content, its checksum, and the checksum of these two, and
// then the content as JSON. JSON has no zero bytes, so no content, whoever
// wrote it, can look like a header.
const headerSize = 12

// content is what a record says. Exactly one field is set.
type content struct {
	Kept   *Entry `json:"kept,omitempty"`
	Judged []Key  `json:"judged,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errCut     = errors.New("the record is cut off")
	errHeader  = errors.New("the header of the record is damaged")
	errContent = errors.New("the content of the record is damaged")
)

func encode(c content) ([]byte, error) {
	text, err := api.Marshal(c)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, headerSize, headerSize+len(text))
	binary.LittleEndian.PutUint32(raw, uint32(len(text)))
	binary.LittleEndian.PutUint32(raw[4:], crc32.Checksum(text, castagnoli))
	binary.LittleEndian.PutUint32(raw[8:], crc32.Checksum(raw[:8], castagnoli))
	return append(raw, text...), nil
}

// decode reads the record at the beginning of raw, and says how long it is
// unless its header is damaged.
func decode(raw []byte) (c content, n int, err error) {
	if len(raw) < headerSize {
		return c, len(raw), errCut
	}
	if crc32.Checksum(raw[:8], castagnoli) != binary.LittleEndian.Uint32(raw[8:]) {
		return c, 0, errHeader
	}
	length := binary.LittleEndian.Uint32(raw)
	if uint64(length) > uint64(len(raw)-headerSize) {
		return c, len(raw), errCut
	}
	n = headerSize + int(length)
	text := raw[headerSize:n]
	if crc32.Checksum(text, castagnoli) != binary.LittleEndian.Uint32(raw[4:]) {
		return c, n, errContent
	}
	if json.Unmarshal(text, &c) != nil || (c.Kept == nil) == (c.Judged == nil) {
		return content{}, n, errContent // of a version that is not this one
	}
	return c, n, nil
}

// scan reads a log, and passes over what is damaged. What was being written
// when the power went, at the end, is no damage: nobody was told that it was
// kept.
func scan(raw []byte, each func(content, []byte)) (damaged int) {
	for len(raw) > 0 {
		c, n, err := decode(raw)
		switch {
		case err == nil:
			each(c, raw[:n])
		case err == errCut, len(bytes.Trim(raw, "\x00")) == 0:
			return damaged // a file may have got its length before its content
		case err == errHeader:
			damaged++
			n = nextRecord(raw)
		default:
			damaged++
		}
		raw = raw[n:]
	}
	return damaged
}

// nextRecord is how far it is to the next record that is whole.
func nextRecord(raw []byte) int {
	for n := 1; n < len(raw); n++ {
		if _, _, err := decode(raw[n:]); err == nil {
			return n
		}
	}
	return len(raw)
}
