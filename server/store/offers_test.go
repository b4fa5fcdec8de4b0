package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// An answer gets no further run once the variables of those in it come to a size.
// What does not fit comes with the next answer, in order, and an offer waits for as
// long as its whole answer takes.
func TestAnAnswerIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 100)
	for i, size := range []int{30_000, 10, 40_000, 40_000, 10, 500_000, 10, 20} {
		w.submit(fmt.Sprint(i), func(n *store.NewRun) { n.Variables = []byte(`"` + strings.Repeat("x", size) + `"`) })
	}
	in := store.PollIn{
		Worker: "w", Session: "s", Max: 100, Bytes: 100_000,
		Carry: func(bytes int64) time.Duration { return time.Duration(bytes) * time.Millisecond },
	}
	for _, want := range []string{"[0 1 2 3]", "[4 5]", "[6 7]", "[]"} {
		var offers []store.Offer
		for range 2 { // the first answer is lost
			out, err := w.Poll(t.Context(), w.now, in)
			if err != nil {
				t.Fatal(err)
			}
			offers = out.Offers
			var cookies []string
			size := 0
			for _, o := range offers {
				cookies = append(cookies, o.Run.Cookie)
				size += len(o.Run.Variables)
			}
			if fmt.Sprint(cookies) != want {
				t.Fatalf("offers of %v, want %s", cookies, want)
			}
			for _, o := range offers {
				if due := w.now.Add(store.DefaultTiming().Offer + in.Carry(int64(size))); !o.Run.Due.Equal(due) {
					t.Errorf("the offer of %s lapses at %s, want %s", o.Run.Cookie, o.Run.Due, due)
				}
			}
		}
		for _, o := range offers {
			in.Holding = append(in.Holding, store.Held{Cookie: o.Run.Cookie, Fence: o.Run.Fence})
		}
	}
}

// Offers that one answer cannot carry, since those of several answers were lost, wait
// for the next.
func TestLostAnswersAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 3)
	for i := range 4 {
		w.submit(fmt.Sprint(i), func(n *store.NewRun) { n.Variables = []byte(`"` + strings.Repeat("x", 60_000) + `"`) })
	}
	in := store.PollIn{Worker: "w", Session: "s", Max: 100}
	if out, err := w.Poll(t.Context(), w.now, in); err != nil || len(out.Offers) != 3 {
		t.Fatalf("Poll() = %d offers, %v, want 3", len(out.Offers), err)
	}
	in.Bytes = 100_000
	for _, want := range []int{2, 1, 0} {
		out, err := w.Poll(t.Context(), w.now, in)
		if err != nil || len(out.Offers) != want || out.Free != 0 {
			t.Fatalf("Poll() = %d offers and %d free slots, %v, want %d and none", len(out.Offers), out.Free, err, want)
		}
		for _, o := range out.Offers {
			in.Holding = append(in.Holding, store.Held{Cookie: o.Run.Cookie, Fence: o.Run.Fence})
		}
	}
}
