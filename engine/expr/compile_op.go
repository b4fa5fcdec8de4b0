package expr

import (
	"math/bits"
	"strings"
)

// binary compiles an operator with two operands. Small integers are worked
// on here; everything else goes through eval.binary.
func (c *compiler) binary(x *binaryExpr) code {
	l, r, op := c.expr(x.x), c.expr(x.y), x.op
	fast := smallInt[op]
	if fast == nil {
		return func(fr *frame) (Value, error) {
			a, err := l(fr)
			if err != nil {
				return nil, err
			}
			b, err := r(fr)
			if err != nil {
				return nil, err
			}
			return fr.ev.binary(op, a, b)
		}
	}
	return func(fr *frame) (Value, error) {
		a, err := l(fr)
		if err != nil {
			return nil, err
		}
		b, err := r(fr)
		if err != nil {
			return nil, err
		}
		if i, ok := a.(int64); ok {
			if j, ok := b.(int64); ok {
				if n, ok := fast(i, j); ok {
					return n, nil
				}
			}
		}
		return fr.ev.binary(op, a, b)
	}
}

// smallInt holds what can be done within int64; ok is false on overflow.
var smallInt = [...]func(a, b int64) (n int64, ok bool){
	opAdd: func(a, b int64) (int64, bool) {
		n := a + b
		return n, (n > a) == (b > 0)
	},
	opSub: func(a, b int64) (int64, bool) {
		n := a - b
		return n, (n < a) == (b > 0)
	},
	opMul:      mulInt,
	opFloorDiv: floorDiv,
	opMod: func(a, b int64) (int64, bool) {
		if b == 0 || b == -1 {
			return 0, b == -1
		}
		m := a % b
		if m != 0 && (m < 0) != (b < 0) {
			m += b
		}
		return m, true
	},
	opAnd:    func(a, b int64) (int64, bool) { return a & b, true },
	opOr:     func(a, b int64) (int64, bool) { return a | b, true },
	opXor:    func(a, b int64) (int64, bool) { return a ^ b, true },
	opMatMul: nil,
}

func mulInt(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// Mul64 is unsigned: correct the high word for negative factors.
	if a < 0 {
		hi -= uint64(b)
	}
	if b < 0 {
		hi -= uint64(a)
	}
	n := int64(lo)
	return n, n >= 0 && hi == 0 || n < 0 && hi == ^uint64(0)
}

func floorDiv(a, b int64) (int64, bool) {
	if b == 0 || b == -1 {
		return -a, b == -1 && a != -1<<63
	}
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q, true
}

func (c *compiler) unary(x *unaryExpr) code {
	if k, ok := x.x.(*constExpr); ok {
		// A negative number is a constant too.
		if v, err := detached().unary(x.op, k.val); err == nil {
			return func(*frame) (Value, error) { return v, nil }
		}
	}
	val, op := c.expr(x.x), x.op
	if op == opNot {
		return func(fr *frame) (Value, error) {
			v, err := val(fr)
			if err != nil {
				return nil, err
			}
			return !Truth(v), nil
		}
	}
	return func(fr *frame) (Value, error) {
		v, err := val(fr)
		if err != nil {
			return nil, err
		}
		return fr.ev.unary(op, v)
	}
}

// compare compiles a comparison, or a chain of them, which stops at the
// first that is false.
func (c *compiler) compare(x *compareExpr) code {
	first, rest, ops := c.expr(x.first), c.exprs(x.rest), x.ops
	if len(ops) == 1 {
		op, second := ops[0], rest[0]
		return func(fr *frame) (Value, error) {
			a, err := first(fr)
			if err != nil {
				return nil, err
			}
			b, err := second(fr)
			if err != nil {
				return nil, err
			}
			return fr.ev.compare(op, a, b)
		}
	}
	return func(fr *frame) (Value, error) {
		a, err := first(fr)
		if err != nil {
			return nil, err
		}
		for i, op := range ops {
			b, err := rest[i](fr)
			if err != nil {
				return nil, err
			}
			ok, err := fr.ev.compare(op, a, b)
			if err != nil || !ok {
				return ok, err
			}
			a = b
		}
		return true, nil
	}
}

// compare applies a comparison operator.
func (ev *eval) compare(op compareOp, a, b Value) (bool, error) {
	if i, ok := a.(int64); ok {
		if j, ok := b.(int64); ok && op <= opGe {
			return holds(op, compare3(i, j)), nil
		}
	}
	switch op {
	case opEq, opNe:
		eq, err := ev.equal(a, b)
		return eq == (op == opEq), err
	case opIs, opIsNot:
		return identical(a, b) == (op == opIs), nil
	case opIn, opNotIn:
		in, err := ev.contains(b, a)
		return in == (op == opIn), err
	}
	if s, ok := a.(*Set); ok {
		if t, ok := b.(*Set); ok {
			return ev.setCompare(op, s, t)
		}
	}
	n, err := ev.order(a, b, op.String())
	return err == nil && holds(op, n), err
}

// holds tells the outcome of an operator from the order of its operands.
func holds(op compareOp, c int) bool {
	if c == unordered || c == -unordered {
		return op == opNe
	}
	switch op {
	case opEq:
		return c == 0
	case opNe:
		return c != 0
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

func (ev *eval) setCompare(op compareOp, s, t *Set) (bool, error) {
	if op == opGt || op == opGe {
		s, t = t, s
	}
	if (op == opLt || op == opGt) && s.Len() == t.Len() {
		return false, nil
	}
	return s.subset(ev, t)
}

// contains is `item in v`.
func (ev *eval) contains(v, item Value) (bool, error) {
	switch v := v.(type) {
	case string:
		s, ok := item.(string)
		if !ok {
			return false, raise(excTypeError, "'in <string>' requires string as left operand, not %s", TypeName(item))
		}
		if err := ev.spend(len(v) / 64); err != nil {
			return false, err
		}
		return strings.Contains(v, s), nil
	case *Dict:
		if _, err := keyOf(item); err != nil {
			return false, err
		}
		_, ok := v.Get(item)
		return ok, nil
	case Bytes:
		if err := ev.spend(len(v) / 64); err != nil {
			return false, err
		}
		return bytesContain(v, item)
	case container:
		return v.contains(ev, item)
	}
	if items, ok := sequence(v); ok {
		for _, have := range items {
			if err := ev.step(); err != nil {
				return false, err
			}
			if eq, err := ev.identicalOrEqual(have, item); err != nil || eq {
				return eq, err
			}
		}
		return false, nil
	}
	if _, ok := v.(iterable); !ok {
		return false, raise(excTypeError, "argument of type '%s' is not iterable", TypeName(v))
	}
	return containsByIteration(ev, v, item)
}
