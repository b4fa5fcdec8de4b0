package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Filter selects runs. What is left empty does not restrict.
type Filter struct {
	States    []State
	Pipeline  string
	Queue     string
	Worker    string // has the run, or had it when it ended
	Submitter string
	Tags      map[string]string // all of them
	Since     time.Time         // submitted then or later
	Until     time.Time         // submitted before
	Latest    bool              // not requeued
	Wanted    bool              // not cancelled, nor to be

	rare string // the name of a tag that few runs have
}

// fewTagged is how many runs may have a tag if all of them are looked through.
const fewTagged = 10_000

// List returns up to limit runs that f selects, the newest first, without
// variables and results, and with the beginnings of errors. before is zero, or
// what the call for the page before returned as next; next is zero after the last
// page.
func (s *Store) List(ctx context.Context, f Filter, before int64, limit int) (runs []Run, next int64, _ error) {
	first, end, err := s.between(ctx, f.Since, f.Until)
	if err != nil {
		return nil, 0, err
	}
	if end > 0 && (before == 0 || end < before) {
		before = end
	}
	if f.rare, err = s.rareOf(ctx, f.Tags); err != nil {
		return nil, 0, err
	}
	query, args := f.sql(s.dialect.among, first, before, limit+1)
	if query == "" {
		return nil, 0, nil
	}
	err = s.query(ctx, query, func(row scanner) error {
		var r Run
		err := row.Scan(append(r.dest(), &r.Error)...)
		runs = append(runs, r)
		return err
	}, args...)
	if err != nil {
		return nil, 0, err
	}
	if len(runs) > limit {
		runs = runs[:limit]
		next = runs[limit-1].Seq
	}
	return runs, next, nil
}

// rareOf returns the name of the tag that the fewest runs have, if these are few.
func (s *Store) rareOf(ctx context.Context, tags map[string]string) (rare string, err error) {
	fewest := s.fewTagged
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		err = errors.Join(err, s.query(ctx, `SELECT count(*) FROM (SELECT 1 FROM tags WHERE name = ?1 AND value = ?2 LIMIT ?3) AS found`, func(row scanner) error {
			var n int
			err := row.Scan(&n)
			if n < fewest {
				rare, fewest = name, n
			}
			return err
		}, name, tags[name], fewest))
	}
	return rare, err
}

// sql returns the statement for a page, which takes as many numbers of runs from
// each part as fit on it; an empty text if there is nothing to select. Its text
// depends only on which fields are set, so that few statements are ever prepared.
func (f Filter) sql(among func(string) string, first, before int64, limit int) (string, []any) {
	var pages []string
	var args []any
	for _, q := range f.parts(among, first, before, limit) {
		pages = append(pages, q.page(limit))
		args = append(args, q.args...)
	}
	if len(pages) == 0 {
		return "", nil
	}
	numbers := `SELECT seq FROM (` + strings.Join(pages, `) AS p UNION ALL SELECT seq FROM (`) + `) AS p`
	return numbered(`SELECT ` + runColumns + `, coalesce(substr(o.error, 1, 200), '')
		FROM runs r JOIN routes q ON q.id = r.route LEFT JOIN results o ON o.run = r.seq
		WHERE r.seq ` + among(numbers) + ` ORDER BY r.seq DESC LIMIT ?`), append(args, limit)
}

// classes are the states whose runs have indexes of their own, with the predicate
// that a statement has to repeat to use them.
var classes = []struct {
	states    []State
	predicate string
}{
	{[]State{Scheduled}, `r.state = 0`},
	{[]State{Queued}, `r.state = 1 AND r.blocked = 0`},
	{[]State{Queued}, `r.state = 1 AND r.blocked = 1`},
	{[]State{Offered, Running}, `r.state IN (2, 3)`},
	{[]State{Succeeded}, `r.state = 4`},
	{[]State{Failed, Cancelled, TimedOut, Dead}, `r.state > 4`},
}

// parts selects the numbers of the runs of each class that f wants, by an index that
// has those that fit in order. Those of all states are one part, if an index has
// them.
func (f Filter) parts(among func(string) string, first, before int64, limit int) (parts []*selection) {
	switch {
	case f.rare != "":
		return append(parts, f.tagged(first, before))
	case len(f.States) == 0 && f.Queue == "" && f.Pipeline == "" && f.Worker == "":
		q := &selection{from: `SELECT r.seq FROM runs r`}
		q.numbersBy("r.submitter", f.Submitter, "r.seq", first, before)
		f.Submitter = ""
		f.restrict(q)
		return append(parts, q)
	}
	for _, c := range classes {
		states := slices.DeleteFunc(slices.Clone(c.states), func(s State) bool { return len(f.States) > 0 && !slices.Contains(f.States, s) })
		waits, failed := c.states[0] <= Queued, c.states[0] > Succeeded
		if len(states) == 0 || waits && f.Worker != "" {
			continue
		}
		q := &selection{from: `SELECT r.seq FROM runs r`}
		q.add(c.predicate)
		if len(states) < len(c.states) {
			q.add(stateCondition(states))
		}
		rest, byRoute := f, false
		switch {
		case c.states[0] == Offered: // they are few, and have no index in this order
			q.numbers("r.seq + 0", first, before)
		case f.Worker != "":
			q.numbersBy("r.worker", f.Worker, "r.seq", first, before)
			rest.Worker = ""
		case failed && f.Queue == "" && f.Pipeline == "":
			q.numbersBy("r.submitter", f.Submitter, "r.seq", first, before)
			rest.Submitter = ""
		default:
			byRoute = true
			rest.Queue, rest.Pipeline = "", ""
			// PostgreSQL knows by the range that a route's runs are few among all,
			// which it does not guess from a comparison of two values at once. To
			// SQLite the cast hides a way to read them that leaves out the number.
			q.numbersOf("r.route, r.seq", "q.id", first, before)
			q.add(`CAST(r.route AS BIGINT) BETWEEN q.id AND q.id`)
		}
		rest.restrict(q)
		if byRoute {
			q = f.eachRoute(`r.seq `+among(q.page(limit)), q.args)
		}
		parts = append(parts, q)
	}
	return parts
}

// tagged selects the numbers of runs by the tag that few have.
func (f Filter) tagged(first, before int64) *selection {
	q := &selection{from: `SELECT r.seq FROM tags t CROSS JOIN runs r`}
	q.add(`r.seq = t.run`)
	q.numbersOf("t.name, t.value, t.run", "?, ?", first, before, f.rare, f.Tags[f.rare])
	if len(f.States) > 0 {
		q.add(stateCondition(f.States))
	}
	f.Tags = maps.Clone(f.Tags)
	delete(f.Tags, f.rare)
	f.restrict(q)
	return q
}

// eachRoute selects the numbers of runs that fulfil a condition for their route, which is q.
func (f Filter) eachRoute(condition string, args []any) *selection {
	q := &selection{from: `SELECT r.seq FROM routes q CROSS JOIN runs r`, order: `r.seq DESC`}
	q.text("q.queue", f.Queue)
	q.text("q.pipeline", f.Pipeline)
	q.add(condition, args...)
	return q
}

// restrict adds what f wants of runs in any state.
func (f Filter) restrict(q *selection) {
	if f.Queue != "" {
		q.add(`+r.route IN (SELECT id FROM routes WHERE queue = ?)`, f.Queue)
	}
	q.text("r.pipeline", f.Pipeline)
	q.text("r.submitter", f.Submitter)
	q.text("r.worker", f.Worker)
	for _, name := range slices.Sorted(maps.Keys(f.Tags)) {
		q.add(`EXISTS (SELECT 1 FROM tags o WHERE o.name = ? AND o.value = ? AND o.run = r.seq)`, name, f.Tags[name])
	}
	if f.Latest {
		q.add(`r.requeued_as = ''`)
	}
	if f.Wanted {
		q.add(`r.cancel_at = 0`)
	}
	q.times("r.submitted_at", f.Since, f.Until)
}

// selection is the condition of a statement that reads a page, newest first.
type selection struct {
	from  string
	where []string
	args  []any
	order string
}

func (q *selection) add(condition string, values ...any) {
	q.where, q.args = append(q.where, condition), append(q.args, values...)
}

func (q *selection) text(column, value string) {
	if value != "" {
		q.add(column+" = ?", value)
	}
}

// times selects by a time, from since on and before until; zero is no limit.
func (q *selection) times(column string, since, until time.Time) {
	if !since.IsZero() {
		q.add(column+" >= ?", micros(since))
	}
	if !until.IsZero() {
		q.add(column+" < ?", micros(until))
	}
}

// numbers selects by the number in a column, from first on and below before, of
// which zero is no limit.
func (q *selection) numbers(column string, first, before int64) {
	if first > 0 {
		q.add(column+" >= ?", first)
	}
	if before > 0 {
		q.add(column+" < ?", before)
	}
	q.order = column + " DESC"
}

// numbersBy is numbers of those with a value in another column, if there is one.
func (q *selection) numbersBy(leading, value, column string, first, before int64) {
	if value == "" {
		q.numbers(column, first, before)
		return
	}
	q.numbersOf(leading+", "+column, "?", first, before, value)
}

// numbersOf selects by the number in the last of some columns, of those with certain
// values in the others, which are those of another table or arguments. It compares
// values and number as one, so that no planner walks through all numbers for values
// that few have: it does not know which values these are when it plans.
func (q *selection) numbersOf(columns, values string, first, before int64, args ...any) {
	if before == 0 {
		before = noRun
	}
	q.add("("+columns+") >= ("+values+", ?)", append(slices.Clip(args), first)...)
	q.add("("+columns+") < ("+values+", ?)", append(slices.Clip(args), before)...)
	q.order = strings.ReplaceAll(columns, ",", " DESC,") + " DESC"
}

// page returns the text of the statement that reads up to limit rows.
func (q *selection) page(limit int) string {
	text := q.from
	if len(q.where) > 0 {
		text += " WHERE " + strings.Join(q.where, " AND ")
	}
	q.args = append(q.args, limit)
	return text + " ORDER BY " + q.order + " LIMIT ?"
}

// numbered numbers each ? of a statement.
func numbered(query string) string {
	parts := strings.Split(query, "?")
	for i := range parts[1:] {
		parts[i] += fmt.Sprintf("?%d", i+1)
	}
	return strings.Join(parts, "")
}

// stateCondition is to be looked at last: each class of states has an index. SQLite
// takes none for it because of the cast, by which PostgreSQL still knows how many
// runs are in those states.
func stateCondition(states []State) string {
	list := make([]string, len(states))
	for i, s := range states {
		list[i] = fmt.Sprint(int(s))
	}
	return `CAST(r.state AS BIGINT) IN (` + strings.Join(list, ", ") + `)`
}
