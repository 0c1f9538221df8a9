package audit

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// frame is one open object or list while raw JSON is walked.
type frame struct {
	list    bool
	inClear bool // what holds for the values of a list
}

var errTrailing = errors.New("audit: more than one JSON value")

// json writes a value that is still JSON text, so that an engine that never
// parses what it keeps need not do so for the log either. Text that is no
// valid JSON is hashed as a whole.
func (n *encoder) json(raw []byte, inClear bool, clearKeys []string) {
	mark := len(n.b)
	if err := n.walk(raw, inClear, clearKeys); err != nil {
		n.b = n.b[:mark]
		n.hash(string(raw))
	}
}

func (n *encoder) walk(raw []byte, inClear bool, clearKeys []string) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	stack := make([]frame, 0, 8)
	wantName, first, now := false, true, inClear
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) && len(stack) == 0 && !first {
			return nil
		}
		if err != nil {
			return err
		}
		if len(stack) == 0 && !first {
			return errTrailing
		}
		kind := t.Kind()
		closing := kind == '}' || kind == ']'
		n.separate(stack, wantName, closing)
		first = false
		switch {
		case wantName && !closing:
			name := t.String()
			n.b = append(appendString(n.b, name), ':')
			now, wantName = n.inClear(name, clearKeys), false
			continue
		case kind == '{', kind == '[':
			stack = append(stack, frame{list: kind == '[', inClear: now})
		case closing:
			stack = stack[:len(stack)-1]
		case kind == '"':
			n.text(t.String(), now)
		}
		if kind != '"' {
			n.b = append(n.b, t.String()...)
		}
		if len(stack) > 0 {
			top := stack[len(stack)-1]
			wantName, now = !top.list, top.inClear
		}
	}
}

// separate writes the comma that stands before the next name or list element.
func (n *encoder) separate(stack []frame, wantName, closing bool) {
	if closing || len(stack) == 0 || (!wantName && !stack[len(stack)-1].list) {
		return
	}
	if last := n.b[len(n.b)-1]; last != '{' && last != '[' {
		n.b = append(n.b, ',')
	}
}
