package pvaultapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jotgate/jotgate/internal/principal"
)

// TestThousandUsersSeeOnlyTheirOwnRows lets a thousand users, each with a token
// that is bound to its own user_id, work at once. Every value carries its
// user's mark, so that a foreign one shows wherever it turns up.
func TestThousandUsersSeeOnlyTheirOwnRows(t *testing.T) {
	users := 1000
	if testing.Short() {
		users = 50
	}
	w := withBuyers(t)
	creds := make([]string, users)
	for i := range creds {
		creds[i] = w.jwt(mark(i), "all", principal.Narrowing{Property: "user_id", Values: []string{mark(i)}})
	}
	first := make([]string, users)
	for i, cred := range creds {
		first[i] = w.add(cred, row(i, "one"))
	}
	var wg sync.WaitGroup
	work := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range work {
				u := &user{w: w, t: t, mark: mark(i), cred: creds[i], id: first[i]}
				u.live(first[(i+1)%users], i)
			}
		})
	}
	for i := range users {
		work <- i
	}
	close(work)
	wg.Wait()
	if got, want := w.must("key-all", "GET", buyers+"count/objects"+why, "").body, fmt.Sprintf(`{"active":%d,"archived":0,"total":%d}`, 2*users, 2*users); got != want {
		t.Errorf("at the end: %s, want %s", got, want)
	}
}

func mark(i int) string { return fmt.Sprintf("u%04dx", i) }

func row(i int, n string) string {
	return `{"email":"` + mark(i) + n + `@b.c","user_id":"` + mark(i) + `","name":"Person ` + mark(i) + `","group":"same"}`
}

type user struct {
	w              *world
	t              *testing.T
	mark, cred, id string
}

// own wants success and no other user's mark in the answer.
func (u *user) own(method, path, body string) string {
	a := u.w.as(u.cred, method, path, body)
	if a.status != 200 {
		u.t.Errorf("%s: %s %s: %d %s", u.mark, method, path, a.status, a.body)
	}
	for rest := a.body; ; {
		i := strings.Index(rest, "x")
		if i < 0 {
			return a.body
		}
		if i >= 5 && rest[i-5] == 'u' && isNumber(rest[i-4:i]) && rest[i-5:i+1] != u.mark {
			u.t.Errorf("%s sees %s: %s %s: %s", u.mark, rest[i-5:i+1], method, path, a.body)
			return a.body
		}
		rest = rest[i+1:]
	}
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

func (u *user) foreign(method, path, body string) {
	if a := u.w.as(u.cred, method, path, body); a.status != 403 || a.code() != "PV1006" {
		u.t.Errorf("%s: %s %s: %d %s", u.mark, method, path, a.status, a.body)
	}
}

func (u *user) live(theirs string, i int) {
	const all = "&options=unsafe"
	u.own("POST", buyers+"objects"+why, row(i, "two"))
	u.own("PATCH", buyers+"objects/"+u.id+why, `{"points":7}`)
	u.own("GET", buyers+"objects/"+u.id+why+all, "")
	for _, got := range []string{
		u.own("GET", buyers+"objects"+why+all, ""),
		u.own("POST", buyers+"query/objects"+why+all, `{"like":{"name":"person*"}}`),
	} {
		if strings.Count(got, `"user_id"`) != 2 {
			u.t.Errorf("%s: got %s", u.mark, got)
		}
	}
	u.own("POST", buyers+"query/objects"+why+all, `{"match":{"points":7}}`)
	if got := u.own("GET", buyers+"count/objects"+why, ""); got != `{"active":2,"archived":0,"total":2}` {
		u.t.Errorf("%s counts %s", u.mark, got)
	}
	u.own("POST", buyers+"tokens"+why, `[{"type":"pointer","object":{"id":"`+u.id+`"},"props":["email"],"tags":["shared"]}]`)
	if got := u.own("GET", buyers+"tokens"+why+"&tags=shared&object_ids="+u.id+","+theirs, ""); !strings.Contains(got, u.mark+"one@b.c") {
		u.t.Errorf("%s: got %s", u.mark, got)
	}
	u.own("POST", buyers+"query/tokens"+why, `{"object_ids":["`+u.id+`","`+theirs+`"]}`)
	get := buyers + "objects/" + theirs + why
	u.foreign("GET", get+all, "")
	u.foreign("PATCH", get, `{"points":1}`)
	u.foreign("DELETE", get, "")
	u.foreign("POST", buyers+"tokens"+why, `[{"type":"pci","object":{"id":"`+theirs+`"}}]`)
	u.foreign("POST", buyers+"encrypt/objects"+why, `[{"object":{"id":"`+theirs+`"}}]`)
	u.foreign("PATCH", buyers+"objects/"+u.id+why, `{"user_id":"`+mark(i+1)+`"}`)
}
