package configs

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text    string
		want    time.Duration
		written string
		wantErr string
	}{
		{text: "0", want: 0, written: "0s"},
		{text: "30s", want: 30 * time.Second, written: "30s"},
		{text: "1.5s", want: 1500 * time.Millisecond, written: "1.5s"},
		{text: "60s", want: time.Minute, written: "1m"},
		{text: "90m", want: 90 * time.Minute, written: "1h30m"},
		{text: "10h", want: 10 * time.Hour, written: "10h"},
		{text: "1h0m5s", want: time.Hour + 5*time.Second, written: "1h0m5s"},
		{text: "7d", want: 7 * day, written: "7d"},
		{text: "1d12h", want: 36 * time.Hour, written: "36h"},
		{text: "106751d", want: 106751 * day, written: "106751d"},
		{text: "106752d", wantErr: "is too long"},
		{text: "106751d24h", wantErr: "is too long"},
		{text: "30", wantErr: `wants a unit, for example "30s"`},
		{text: "-1s", wantErr: "must not be negative"},
		{text: "010s", wantErr: "has a leading zero, which some read as octal; leave it out"},
		{text: "", wantErr: `wants a duration, for example "30s", got ""`},
		{text: "d", wantErr: `wants a duration, for example "30s", got "d"`},
		{text: "1d-1h", wantErr: `wants a duration, for example "30s", got "1d-1h"`},
		{text: "+1s", wantErr: `wants a duration, for example "30s", got "+1s"`},
		{text: "1.5", wantErr: `wants a duration, for example "30s", got "1.5"`},
		{text: "1 s", wantErr: `wants a duration, for example "30s", got "1 s"`},
	} {
		got, err := parseDuration(tt.text)
		if errorText(err) != tt.wantErr || got != tt.want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v, %q", tt.text, got, err, tt.want, tt.wantErr)
		}
		if err == nil && formatDuration(got) != tt.written {
			t.Errorf("formatDuration(%v) = %q, want %q", got, formatDuration(got), tt.written)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text    string
		want    Size
		written string
		wantErr string
	}{
		{text: "0", want: 0, written: "0B"},
		{text: "0MiB", want: 0, written: "0B"},
		{text: "100B", want: 100, written: "100B"},
		{text: "1024B", want: KiB, written: "1KiB"},
		{text: "1536KiB", want: 1536 * KiB, written: "1536KiB"},
		{text: "1024MiB", want: GiB, written: "1GiB"},
		{text: "8589934591GiB", want: 8589934591 * GiB, written: "8589934591GiB"},
		{text: "8589934592GiB", wantErr: `is too large, got "8589934592GiB"`},
		{text: "8", wantErr: `wants a unit (B, KiB, MiB or GiB), for example "8MiB"`},
		{text: "1MB", wantErr: `wants a unit (B, KiB, MiB or GiB), for example "1MiB"`},
		{text: "1 MiB", wantErr: `wants a unit (B, KiB, MiB or GiB), for example "1MiB"`},
		{text: "1.5MiB", wantErr: `wants a size, for example "1MiB", got "1.5MiB"`},
		{text: "MiB", wantErr: `wants a size, for example "1MiB", got "MiB"`},
		{text: "", wantErr: `wants a size, for example "1MiB", got ""`},
		{text: "-1MiB", wantErr: "must not be negative"},
		{text: "01MiB", wantErr: "has a leading zero, which some read as octal; leave it out"},
	} {
		var got Size
		err := got.UnmarshalText([]byte(tt.text))
		if errorText(err) != tt.wantErr || got != tt.want {
			t.Errorf("Size of %q = %d, %v, want %d, %q", tt.text, got, err, tt.want, tt.wantErr)
		}
		if written, _ := got.MarshalText(); err == nil && string(written) != tt.written {
			t.Errorf("Size of %q is written %q, want %q", tt.text, written, tt.written)
		}
	}
}
