package main

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// place says where a flag's value goes in the request.
type place uint8

const (
	inQuery  place = iota
	inPath         // replaces {api} in the path
	inBody         // a member of the JSON body
	inOption       // a switch that adds its api name to the query's "options"
	isBody         // the whole body as JSON
	isBlob         // the whole body as bytes
	isSchema       // the whole body as PVSchema
	inHeader
	inFormat // a switch that asks for another format of the answer
	held     // only the operation's own shape function reads it
)

// form says how a flag's value is written.
type form uint8

const (
	text  form = iota
	list       // comma-separated, may be repeated
	whole      // whole number
	toggle
	jsonText // JSON, or @file
	pairs    // key=value, may be repeated
)

// param is one flag of an operation.
type param struct {
	flag, short, api, usage string
	also                    string // another name of the flag, with its first letter; "" = none
	form                    form
	in                      place
	required                bool
}

// op is one operation of the API as a command: one row of the tables in ops.go.
type op struct {
	use, short, example string
	method, path        string
	params              []param
	reason              bool // a call on data: it must say why
	columns             []string
	done                string // what to print when the answer is empty
	shape               func(v values) (any, error)
	view                func(any) any // what to show of the answer
}

// opGroup is a command that holds operations.
type opGroup struct {
	use, short string
	ops        []op
	groups     []opGroup
}

// values are the flags of one run.
type values struct {
	app   *app
	texts map[string]string
	lists map[string][]string
	bools map[string]bool
	set   map[string]bool
}

func (a *app) newGroup(g opGroup) *cobra.Command {
	c := &cobra.Command{Use: g.use, Short: g.short}
	for _, o := range g.ops {
		c.AddCommand(a.newOp(o))
	}
	for _, sub := range g.groups {
		c.AddCommand(a.newGroup(sub))
	}
	if len(g.ops) > 0 {
		c.Example = g.ops[0].example
	}
	return c
}

func (a *app) newOp(o op) *cobra.Command {
	cmd := &cobra.Command{Use: o.use, Short: o.short, Example: o.example, Args: cli.NArgs(0, 0, "flags only")}
	texts, lists, bools := map[string]*string{}, map[string]*[]string{}, map[string]*bool{}
	for _, p := range o.params {
		switch p.form {
		case toggle:
			bools[p.flag] = cmd.Flags().BoolP(p.flag, p.short, false, p.usage)
		case list:
			lists[p.flag] = cmd.Flags().StringSliceP(p.flag, p.short, nil, p.usage)
		case pairs:
			lists[p.flag] = cmd.Flags().StringArrayP(p.flag, p.short, nil, p.usage)
		default:
			texts[p.flag] = cmd.Flags().StringP(p.flag, p.short, "", p.usage)
			if p.also != "" {
				cmd.Flags().StringVarP(texts[p.flag], p.also, p.also[:1], "", "the same as --"+p.flag)
			}
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := values{app: a, texts: map[string]string{}, lists: map[string][]string{}, bools: map[string]bool{}, set: map[string]bool{}}
		for k, p := range texts {
			v.texts[k] = *p
		}
		for k, p := range lists {
			v.lists[k] = *p
		}
		for k, p := range bools {
			v.bools[k] = *p
		}
		for _, p := range o.params {
			v.set[p.flag] = cmd.Flags().Changed(p.flag) || p.also != "" && cmd.Flags().Changed(p.also)
			if p.required && !v.set[p.flag] {
				return cli.WithHint(cli.Usagef("%s: --%s is required", cmd.CommandPath(), p.flag), "run \""+cmd.CommandPath()+" --help\" for its flags")
			}
		}
		if flags := o.bodyFlags(); len(flags) > 0 && !slices.ContainsFunc(flags, func(f string) bool { return v.set[f] }) {
			return cli.WithHint(cli.Usagef("%s: one of --%s is required", cmd.CommandPath(), strings.Join(flags, ", --")), "run \""+cmd.CommandPath()+" --help\" for its flags")
		}
		return a.run(cmd, o, v)
	}
	return cmd
}

func (a *app) run(cmd *cobra.Command, o op, v values) error {
	c, err := buildCall(o, v)
	if err != nil {
		return err
	}
	if o.reason {
		a.reasonQuery(c.query)
	}
	got, err := a.do(cmd.Context(), c)
	if err != nil {
		return err
	}
	if typ := got.header.Get("Content-Type"); strings.Contains(typ, "octet-stream") || strings.Contains(typ, "pvschema") || strings.Contains(typ, "toml") {
		_, err := a.env.Stdout.Write(got.body)
		return err
	}
	out, err := got.decode()
	if err != nil {
		return err
	}
	if out == nil {
		if o.done != "" && !a.set.json {
			a.env.Println(o.done)
		}
		return nil
	}
	if o.view != nil && !a.set.json {
		out = o.view(out)
	}
	return a.print(out, o.columns)
}

// buildCall puts each flag where its row says.
func buildCall(o op, v values) (call, error) {
	path, fixed, _ := strings.Cut(o.path, "?")
	query, err := url.ParseQuery(fixed)
	if err != nil {
		return call{}, cli.Fail(err, "cannot write the request")
	}
	c := call{method: o.method, path: path, query: query, header: http.Header{}}
	body := map[string]any{}
	for _, p := range o.params {
		if !v.set[p.flag] {
			continue
		}
		if err := place1(&c, p, v, body); err != nil {
			return call{}, err
		}
	}
	if strings.Contains(c.path, "{") {
		return call{}, cli.Usagef("a part of the path is missing: %s", c.path)
	}
	var whole any
	switch {
	case o.shape != nil:
		if whole, err = o.shape(v); err != nil {
			return call{}, err
		}
	case len(body) > 0:
		whole = body
	}
	if whole != nil {
		raw, err := cli.EncodeRequest(whole)
		if err != nil {
			return call{}, err
		}
		c.body, c.typ = raw, "application/json"
	}
	return c, nil
}

// bodyFlags are the flags of which one must give the whole body.
func (o op) bodyFlags() []string {
	var flags []string
	for _, p := range o.params {
		if p.in == isBody || p.in == isBlob || p.in == isSchema {
			flags = append(flags, p.flag)
		}
	}
	return flags
}

func place1(c *call, p param, v values, body map[string]any) error {
	switch p.in {
	case inPath:
		if v.texts[p.flag] == "" {
			return cli.Usagef("--%s must not be empty", p.flag)
		}
		c.path = strings.ReplaceAll(c.path, "{"+p.api+"}", url.PathEscape(v.texts[p.flag]))
	case inOption:
		if v.bools[p.flag] {
			c.query.Add("options", p.api)
		}
	case inFormat:
		if v.bools[p.flag] {
			c.query.Set("format", p.api)
		}
	case inHeader:
		c.header.Set(p.api, v.texts[p.flag])
	case isBody, isBlob, isSchema:
		return wholeBody(c, p, v)
	case inBody, inQuery:
		value, err := v.value(p)
		if err != nil {
			return err
		}
		if p.in == inBody {
			body[p.api] = value
			return nil
		}
		if many, ok := value.([]string); ok {
			c.query[p.api] = append(c.query[p.api], strings.Join(many, ","))
			return nil
		}
		c.query.Set(p.api, cellText(value))
	}
	return nil
}

func wholeBody(c *call, p param, v values) error {
	text, err := v.app.env.Indirect(v.texts[p.flag])
	if err != nil {
		return err
	}
	c.body = []byte(text)
	switch p.in {
	case isBlob:
		c.typ = "application/octet-stream"
	case isSchema:
		c.typ = "application/pvschema"
	default:
		c.typ = "application/json"
		var check any
		if err := cli.Decode(c.body, &check); err != nil {
			return cli.Usagef("--%s is not JSON: %v", p.flag, err)
		}
	}
	return nil
}

// value reads one flag by its form.
func (v values) value(p param) (any, error) {
	switch p.form {
	case toggle:
		return v.bools[p.flag], nil
	case list:
		return v.lists[p.flag], nil
	case whole:
		n, err := strconv.ParseInt(v.texts[p.flag], 10, 64)
		if err != nil {
			return nil, cli.Usagef("--%s must be a whole number, got %q", p.flag, v.texts[p.flag])
		}
		return n, nil
	case jsonText:
		return v.json(p.flag)
	case pairs:
		return cli.Pairs("--"+p.flag, v.lists[p.flag])
	}
	return v.app.env.Indirect(v.texts[p.flag])
}

// json reads a flag that holds JSON or @file.
func (v values) json(flag string) (any, error) {
	text, err := v.app.env.Indirect(v.texts[flag])
	if err != nil {
		return nil, err
	}
	var out any
	if err := cli.Decode([]byte(text), &out); err != nil {
		return nil, cli.Usagef("--%s is not JSON: %v", flag, err)
	}
	return out, nil
}
