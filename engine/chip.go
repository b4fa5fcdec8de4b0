package engine

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A Chip is a Go function that pipelines can call. Make one with [NewChip].
// It never changes and may be called by any number of runs at once.
type Chip struct {
	name     string
	doc      string
	request  *schema
	response *schema
	strict   bool
	answers  bool // it tells failures in its response
	prepare  func(params) (call, error)
}

// A call is a chip with its request, ready to run.
type call func(ctx context.Context) (expr.Value, error)

// params are what a task gives to a chip.
type params interface {
	Get(name string) (expr.Value, bool)
	Names() []string
}

// NewChip describes a function as a chip. Req and Resp are structs whose
// tags name and document their fields:
//
//	type Request struct {
//		Name  string `doc:"Whom to greet." required:"true"`
//		Times int    `doc:"How often." default:"1"`
//		Style string `enum:"plain,loud" default:"plain"`
//	}
//
// A field may be a bool, int, int64, float64, string, []byte, any, *[Handle],
// a pointer to one of these, which may be null, or a slice, map or struct of
// them. Its name is the Go name in snake case unless a `name` tag gives
// another.
//
// The function gets a context that ends when the task is stopped, and must
// return soon after. Values in `any` fields are shared with the pipeline and
// must not be changed. Its error fails the task with a ChipException, and so
// does a panic.
//
// NewChip panics if the structs cannot be described, which is a mistake in
// the program.
func NewChip[Req, Resp any](name, doc string, fn func(context.Context, Req) (Resp, error)) Chip {
	c := Chip{
		name:     name,
		doc:      doc,
		request:  schemaOf(reflect.TypeFor[Req]()),
		response: schemaOf(reflect.TypeFor[Resp]()),
	}
	if !strings.Contains(name, ".") {
		panic(fmt.Sprintf("engine: chip %q: a chip's name has a set before a dot", name))
	}
	request, response := c.request, c.response
	c.prepare = func(p params) (call, error) {
		req := new(Req)
		if err := request.read(reflect.ValueOf(req).Elem(), p.Get, nil); err != nil {
			return nil, err
		}
		return func(ctx context.Context) (expr.Value, error) {
			resp, err := fn(ctx, *req)
			if err != nil {
				return nil, err
			}
			return response.value(reflect.ValueOf(&resp).Elem()), nil
		}, nil
	}
	return c
}

// Strict gives the chip with one difference: it refuses params it does not
// know.
func (c Chip) Strict() Chip {
	c.strict = true
	return c
}

// Answering gives the chip, marked as one that tells in its response what went
// wrong instead of failing. Pipelines that guard it against failures are
// warned when they are loaded.
func (c Chip) Answering() Chip {
	c.answers = true
	return c
}

// Name gives the chip's full name, such as "http.get".
func (c *Chip) Name() string { return c.name }

// Doc says what the chip does.
func (c *Chip) Doc() string { return c.doc }

// ready reads params into a request.
func (c *Chip) ready(p params) (call, error) {
	if c.strict {
		for _, name := range p.Names() {
			if c.request.field(name) == nil {
				return nil, fmt.Errorf("%q is not known", name)
			}
		}
	}
	return c.prepare(p)
}

// A panicked is a panic in a chip.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// safely runs a call so that a panic becomes its error.
func (f call) safely(ctx context.Context) (v expr.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, &panicked{r, debug.Stack()}
		}
	}()
	return f(ctx)
}

// Chips are the chips that a collection can call, by name.
type Chips struct {
	byName map[string]*Chip
}

// longPrefix is what the names of standard chips may begin with, as they do
// in older pipelines.
const longPrefix = "reasonchip.chipsets."

// NewChips makes a registry of the given chips and of those that the engine
// brings along. It panics if two have one name.
func NewChips(list ...Chip) *Chips {
	cs := &Chips{byName: map[string]*Chip{}}
	for _, c := range append([]Chip{waitForChip()}, list...) {
		if cs.byName[c.name] != nil {
			panic(fmt.Sprintf("engine: two chips are called %q", c.name))
		}
		cs.byName[c.name] = &c
	}
	return cs
}

// Lookup finds a chip by its name, which may begin with
// "reasonchip.chipsets.". It returns nil if there is none.
func (cs *Chips) Lookup(name string) *Chip {
	if c := cs.byName[name]; c != nil {
		return c
	}
	return cs.byName[strings.TrimPrefix(name, longPrefix)]
}

// All gives the chips, sorted by name.
func (cs *Chips) All() []*Chip {
	list := make([]*Chip, 0, len(cs.byName))
	for _, name := range cs.names() {
		list = append(list, cs.byName[name])
	}
	return list
}

func (cs *Chips) names() []string { return slices.Sorted(maps.Keys(cs.byName)) }
