package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/jotgate/jotgate/internal/cli"
)

// print shows a JSON answer: as JSON when asked for, else as a table. columns
// gives the order of the known columns; others follow, sorted.
func (a *app) print(v any, columns []string) error {
	if a.set.json {
		return a.printJSON(v)
	}
	rows, note := rowsOf(v)
	if rows == nil {
		return a.printJSON(v)
	}
	if len(rows) == 0 {
		a.env.Warnf("No results.")
		return nil
	}
	header := columnsOf(rows, columns)
	cells := make([][]string, len(rows))
	for i, row := range rows {
		for _, name := range header {
			cells[i] = append(cells[i], cellText(row[name]))
		}
	}
	a.env.PrintTable(header, cells)
	if note != "" {
		a.env.Warnf("%s", note)
	}
	return nil
}

func (a *app) printJSON(v any) error {
	if !a.set.compact {
		return a.env.PrintJSON(v)
	}
	b, err := cli.EncodeJSON(v)
	if err != nil {
		return cli.Fail(err, "cannot print the answer as JSON")
	}
	_, err = a.env.Stdout.Write(append(bytes.TrimSpace(b), '\n'))
	return err
}

// rowsOf finds the rows in an answer: an object is one row, a list of objects
// has many, a page keeps them in "results". nil means that it is no table.
func rowsOf(v any) (rows []map[string]any, note string) {
	switch v := v.(type) {
	case map[string]any:
		if list, ok := v["results"].([]any); ok {
			rows, _ = rowsOf(list)
			return rows, pagingNote(v["paging"])
		}
		return []map[string]any{v}, ""
	case []any:
		rows = []map[string]any{}
		for _, item := range v {
			row, ok := item.(map[string]any)
			if !ok {
				row = map[string]any{"value": item}
			}
			rows = append(rows, row)
		}
		return rows, ""
	}
	return nil, ""
}

func pagingNote(v any) string {
	paging, _ := v.(map[string]any)
	cursor, _ := paging["cursor"].(string)
	if cursor == "" {
		return ""
	}
	return fmt.Sprintf("%v more; next page: --cursor=%s", paging["remaining_count"], cli.Visible(cursor))
}

func columnsOf(rows []map[string]any, known []string) []string {
	seen := map[string]bool{}
	for _, row := range rows {
		for name := range row {
			seen[name] = true
		}
	}
	var header []string
	for _, name := range known {
		if seen[name] {
			header = append(header, name)
			delete(seen, name)
		}
	}
	rest := sortedKeys(seen)
	slices.Sort(rest)
	return append(header, rest...)
}

// cellText is a value in a table: text as it is, anything nested as JSON.
func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		b, err := cli.EncodeJSON(v)
		if err != nil {
			return "?"
		}
		return string(b)
	}
	return fmt.Sprint(v)
}
