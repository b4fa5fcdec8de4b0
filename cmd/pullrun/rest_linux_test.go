package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestPagesOfTheProgramAreGivenBack(t *testing.T) { // not parallel: it looks at the memory of the whole process
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	before := resident(t, exe)
	if err := dropProgram(); err != nil {
		t.Fatal(err)
	}
	if after := resident(t, exe); after > before/2 {
		t.Errorf("%d KiB of the program's file were in memory, and %d KiB are when they have been given back", before, after)
	}
}

// resident is how many KiB of a file the process has in memory.
func resident(t *testing.T, file string) (kib int) {
	t.Helper()
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer smaps.Close()
	of := false
	s := bufio.NewScanner(smaps)
	for s.Scan() {
		line := s.Text()
		var n int
		if name, _, _ := strings.Cut(line, " "); strings.Contains(name, "-") {
			of = strings.HasSuffix(line, " "+file)
		} else if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); of && err == nil {
			kib += n
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return kib
}
