package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
)

const (
	pvlt    = "/api/pvlt/1.0/"
	buyers  = pvlt + "data/collections/buyers/"
	because = "?reason=AppFunctionality"
)

// buyersSchema has the eight properties that an object of the benchmark has:
// one unique, one indexed.
const buyersSchema = `{"name":"buyers","type":"PERSONS","properties":[
	{"name":"email","data_type_name":"EMAIL","is_unique":true},
	{"name":"name","data_type_name":"NAME"},
	{"name":"user_id","data_type_name":"STRING","is_index":true},
	{"name":"phone","data_type_name":"PHONE_NUMBER"},
	{"name":"ssn","data_type_name":"SSN"},
	{"name":"born","data_type_name":"DATE_OF_BIRTH"},
	{"name":"zip","data_type_name":"ZIP_CODE_US"},
	{"name":"points","data_type_name":"INTEGER"}]}`

func buyer(n int64) string {
	return fmt.Sprintf(`{"email":"user%d@example.com","name":"Alice Example","user_id":"u%d","phone":"+12125550%03d","ssn":"%03d-12-4357","born":"1990-05-01","zip":"12345","points":%d}`,
		n, n, n%1000, 100+n%500, n%1000)
}

// fill makes the collection and puts -objects objects into it, once.
func (b *bench) fill(ctx context.Context) error {
	if b.filled {
		return nil
	}
	b.filled = true
	if _, err := fetch(ctx, b.client, call{method: "POST", url: b.base + pvlt + "ctl/collections", header: bearer(b.admin), body: []byte(buyersSchema), want: 200}); err != nil {
		return err
	}
	const step = 500
	for at := 0; at < b.opts.objects; at += step {
		var rows []string
		for i := at; i < min(at+step, b.opts.objects); i++ {
			rows = append(rows, buyer(int64(i)))
		}
		out, err := fetch(ctx, b.client, call{method: "POST", url: b.base + buyers + "bulk/objects" + because, header: bearer(b.admin), body: []byte("[" + strings.Join(rows, ",") + "]"), want: 200})
		if err != nil {
			return err
		}
		var r struct {
			OK      bool
			Results []struct{ ID string }
		}
		if err := json.Unmarshal(out, &r); err != nil {
			return err
		}
		if !r.OK {
			return fmt.Errorf("bulk add: %.300s", out)
		}
		for _, x := range r.Results {
			if len(b.ids) < 10000 {
				b.ids = append(b.ids, x.ID)
			}
		}
	}
	b.nextBuyer.Store(int64(b.opts.objects))
	return nil
}

// objectPath sends what each returns with a JWT: always the same one, so that
// its verification is cached, or a new one each time.
func objectPath(cached bool, each func(b *bench, w, i int) call) func(context.Context, *bench) (func(int, int) (call, bool), error) {
	return func(ctx context.Context, b *bench) (func(int, int) (call, bool), error) {
		if err := b.fill(ctx); err != nil {
			return nil, err
		}
		n := 1
		if !cached {
			n = b.opts.tokens
		}
		ts, err := b.many(n, true)
		if err != nil {
			return nil, err
		}
		var at atomic.Int64
		return func(w, i int) (call, bool) {
			k := int(at.Add(1)) - 1
			if k >= n && !cached {
				return call{}, false
			}
			c := each(b, w, i)
			c.url, c.header, c.want = b.base+c.url, bearer(ts[k%n]), 200
			return c, true
		}, nil
	}
}

func getObject(b *bench, w, i int) call {
	return call{method: "GET", url: buyers + "objects/" + b.ids[(w*7919+i*31)%len(b.ids)] + because + "&props=email,name,ssn,points"}
}

func addObject(b *bench, _, _ int) call {
	return call{method: "POST", url: buyers + "objects" + because, body: []byte(buyer(b.nextBuyer.Add(1)))}
}

func searchObjects(b *bench, w, i int) call {
	n := (w*7919 + i*31) % b.opts.objects
	return call{method: "POST", url: buyers + "query/objects" + because + "&props=email,name", body: fmt.Appendf(nil, `{"match":{"user_id":"u%d"}}`, n)}
}

func listObjects(*bench, int, int) call {
	return call{method: "GET", url: buyers + "objects" + because + "&page_size=100&props=email,name"}
}
