package testcase

import "strings"

// Bounds of what a diff shows and works on.
const (
	diffContext = 3         // lines around what differs
	diffWork    = 4_000_000 // the most pairs of lines that are compared
	diffLines   = 200       // the most lines that are shown
)

// diff shows how one text becomes another, line by line.
func diff(from, to string) string {
	a, b := strings.Split(strings.TrimSuffix(from, "\n"), "\n"), strings.Split(strings.TrimSuffix(to, "\n"), "\n")
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	before := a[max(0, start-diffContext):start]
	after := a[len(a)-end : min(len(a), len(a)-end+diffContext)]
	var lines []string
	for _, line := range before {
		lines = append(lines, "  "+line)
	}
	lines = append(lines, changes(a[start:len(a)-end], b[start:len(b)-end])...)
	for _, line := range after {
		lines = append(lines, "  "+line)
	}
	if len(lines) > diffLines {
		lines = append(lines[:diffLines], "  ...")
	}
	return strings.Join(lines, "\n")
}

// changes keeps a longest common subsequence of lines and marks the others.
func changes(a, b []string) (lines []string) {
	if len(a)*len(b) > diffWork {
		for _, line := range a[:min(len(a), diffLines/2)] {
			lines = append(lines, "- "+line)
		}
		for _, line := range b {
			lines = append(lines, "+ "+line)
		}
		return lines
	}
	// common[i][j] is how many lines a[i:] and b[j:] have in common.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "- "+a[i])
			i++
		default:
			lines = append(lines, "+ "+b[j])
			j++
		}
	}
	return lines
}
