package pvaultapi

import (
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxDepth bounds how deep a JSON body may nest.
const maxDepth = 32

// mediaType checks the body's content type against what the row takes and
// returns it. A missing header means the first accepted type.
func (c *call) mediaType() (string, error) {
	accepted := c.row.Handler.media
	if accepted == nil {
		accepted = []string{mediaJSON}
	}
	raw := c.http.Header.Get("Content-Type")
	if raw == "" {
		return accepted[0], nil
	}
	m, _, err := mime.ParseMediaType(raw)
	if err != nil || !slices.Contains(accepted, m) {
		return "", fault.New(fault.MediaType, "The content type must be "+strings.Join(accepted, " or ")+".").
			WithDetail("header", "Content-Type")
	}
	return m, nil
}

// decode reads the body as JSON into v. Names that v does not know, duplicate
// names, wrong types and trailing data are refused.
func (c *call) decode(v any) error {
	if _, err := c.mediaType(); err != nil {
		return err
	}
	b, err := c.body()
	if err != nil {
		return err
	}
	return decodeJSON(b, v)
}

func decodeJSON(b []byte, v any) error {
	if err := checkDepth(b); err != nil {
		return err
	}
	if jsontext.Value(b).Kind() == 'n' {
		return badJSON(nil) // would be taken for an empty object
	}
	if err := json.Unmarshal(b, v, json.RejectUnknownMembers(true)); err != nil {
		return badJSON(err)
	}
	return nil
}

// checkDepth refuses a document that nests deeper than maxDepth before any
// value is built from it.
func checkDepth(b []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch ch := b[i]; {
		case inString && ch == '\\':
			i++
		case ch == '"':
			inString = !inString
		case inString:
		case ch == '{' || ch == '[':
			if depth++; depth > maxDepth {
				return fault.New(fault.Invalid, "The request body nests deeper than "+strconv.Itoa(maxDepth)+" levels.")
			}
		case ch == '}' || ch == ']':
			depth--
		}
	}
	return nil
}

// badJSON says where a body is wrong and never what it holds.
func badJSON(err error) error {
	where := ""
	var sem *json.SemanticError
	var syn *jsontext.SyntacticError
	switch {
	case asError(err, &sem):
		where = string(sem.JSONPointer)
	case asError(err, &syn):
		where = string(syn.JSONPointer)
	}
	// The cause is dropped: the library's text may quote the value.
	f := fault.New(fault.Invalid, "The request body violates the API: it is not the JSON that this operation takes.")
	if where != "" {
		f = fault.New(fault.Invalid, "The request body violates the API at "+strconv.Quote(clip(where))+".").WithDetail("field", clip(where))
	}
	return f
}

// badItem refuses an item of a body that is null.
func badItem(i int) error {
	where := "/" + strconv.Itoa(i)
	return fault.New(fault.Invalid, "The request body violates the API at "+strconv.Quote(where)+": it must not be null.").WithDetail("field", where)
}

// missing refuses a body without a required field.
func missing(field string) error {
	return fault.New(fault.Invalid, "The request body violates the API: the field "+strconv.Quote(field)+" is required.").
		WithDetail("field", field)
}

// jsonReply answers with a JSON text.
func jsonReply(s string) reply { return reply{media: mediaJSON, body: []byte(s)} }

// encode answers with v as JSON.
func encode(v any) (reply, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return reply{}, err
	}
	return reply{media: mediaJSON, body: b}, nil
}
