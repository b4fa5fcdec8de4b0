package expr

import (
	"fmt"
)

// An Exc is a Python exception: as a value what `except ... as e` gives, as
// an error what ends an evaluation that does not catch it.
type Exc struct {
	kind    *Type
	args    Tuple
	line    int
	cause   *Exc  // raise ... from cause
	wrapped error // of the embedding program
}

// NewExc makes an exception of one of Python's classes, for a host function
// to return. An unknown class becomes an Exception of that name.
func NewExc(class, message string) *Exc {
	kind := excByName[class]
	if kind == nil {
		kind = &Type{name: class, base: excException}
	}
	return &Exc{kind: kind, args: Tuple{message}}
}

// WrapExc makes an exception like [NewExc] that unwraps to err.
func WrapExc(class string, err error) *Exc {
	e := NewExc(class, err.Error())
	e.wrapped = err
	return e
}

// Class gives the name of the exception's class, such as KeyError.
func (e *Exc) Class() string { return e.kind.name }

// Message gives the exception's text as str() does.
func (e *Exc) Message() string { return Str(e) }

// Line gives the line of the source on which it was raised, from 1.
func (e *Exc) Line() int { return e.line }

// Error gives class and message.
func (e *Exc) Error() string {
	if m := e.Message(); m != "" {
		return e.kind.name + ": " + m
	}
	return e.kind.name
}

// Unwrap gives the exception this one was raised from, or the error of the
// embedding program that it stands for.
func (e *Exc) Unwrap() error {
	if e.cause != nil {
		return e.cause
	}
	return e.wrapped
}

func (e *Exc) class() *Type          { return e.kind }
func (e *Exc) hashKey() (any, error) { return e, nil }

func (e *Exc) attr(name string) (Value, bool) {
	switch name {
	case "args":
		return e.args, true
	case "value":
		if e.kind == excStopIteration {
			return nil, true
		}
	}
	return nil, false
}

func (e *Exc) str(p *printer) error {
	switch {
	case len(e.args) == 0:
		return nil
	case len(e.args) > 1:
		return p.repr(e.args)
	case e.kind.is(excKeyError):
		return p.repr(e.args[0])
	}
	return p.str(e.args[0])
}

func (e *Exc) repr(p *printer) error {
	if err := p.text(e.kind.name); err != nil {
		return err
	}
	return p.list("(", e.args, ")")
}

// raise makes an exception with a formatted message.
func raise(kind *Type, format string, args ...any) error {
	return &Exc{kind: kind, args: Tuple{fmt.Sprintf(format, args...)}}
}

func raiseKeyError(key Value) error {
	return &Exc{kind: excKeyError, args: Tuple{key}}
}

func unhashable(v Value) error {
	return raise(excTypeError, "unhashable type: '%s'", TypeName(v))
}

func newExcType(name string, base *Type) *Type { return &Type{name: name, base: base} }

// Python's exceptions, as far as scripts can meet them.
var (
	excBaseException       = newExcType("BaseException", nil)
	excException           = newExcType("Exception", excBaseException)
	excArithmeticError     = newExcType("ArithmeticError", excException)
	excOverflowError       = newExcType("OverflowError", excArithmeticError)
	excZeroDivisionError   = newExcType("ZeroDivisionError", excArithmeticError)
	excAssertionError      = newExcType("AssertionError", excException)
	excAttributeError      = newExcType("AttributeError", excException)
	excImportError         = newExcType("ImportError", excException)
	excModuleNotFoundError = newExcType("ModuleNotFoundError", excImportError)
	excLookupError         = newExcType("LookupError", excException)
	excIndexError          = newExcType("IndexError", excLookupError)
	excKeyError            = newExcType("KeyError", excLookupError)
	excNameError           = newExcType("NameError", excException)
	excUnboundLocalError   = newExcType("UnboundLocalError", excNameError)
	excOSError             = newExcType("OSError", excException)
	excTimeoutError        = newExcType("TimeoutError", excOSError)
	excConnectionError     = newExcType("ConnectionError", excOSError)
	excRuntimeError        = newExcType("RuntimeError", excException)
	excNotImplementedError = newExcType("NotImplementedError", excRuntimeError)
	excRecursionError      = newExcType("RecursionError", excRuntimeError)
	excStopIteration       = newExcType("StopIteration", excException)
	excTypeError           = newExcType("TypeError", excException)
	excValueError          = newExcType("ValueError", excException)
	excUnicodeError        = newExcType("UnicodeError", excValueError)
	excUnicodeDecodeError  = newExcType("UnicodeDecodeError", excUnicodeError)
	excUnicodeEncodeError  = newExcType("UnicodeEncodeError", excUnicodeError)
	excJSONDecodeError     = newExcType("JSONDecodeError", excValueError)
	excRegexError          = newExcType("error", excException)
	excStatisticsError     = newExcType("StatisticsError", excValueError)
)

// excByName holds the classes that are builtin names.
var excByName = func() map[string]*Type {
	m := map[string]*Type{"IOError": excOSError}
	for _, t := range []*Type{
		excBaseException, excException, excArithmeticError, excOverflowError, excZeroDivisionError,
		excAssertionError, excAttributeError, excImportError, excModuleNotFoundError, excLookupError,
		excIndexError, excKeyError, excNameError, excUnboundLocalError, excOSError, excTimeoutError,
		excConnectionError, excRuntimeError, excNotImplementedError, excRecursionError, excStopIteration,
		excTypeError, excValueError, excUnicodeError, excUnicodeDecodeError, excUnicodeEncodeError,
	} {
		m[t.name] = t
	}
	return m
}()
