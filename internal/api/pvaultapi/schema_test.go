package pvaultapi_test

import (
	"strings"
	"testing"
)

func TestCollectionsInBothForms(t *testing.T) {
	w := newWorld(t)
	text := "buyers PERSONS (\n  email EMAIL UNIQUE COMMENT 'it''s theirs',\n  name NAME INDEX SUBSTRING_INDEX NULL\n);\n"
	a := w.must("key-all", "POST", "ctl/collections?format=pvschema", text, "Content-Type", "application/pvschema")
	if a.body != text || a.header.Get("Content-Type") != "application/pvschema" {
		t.Errorf("got %q", a.body)
	}
	a = w.must("key-all", "GET", "ctl/collections/buyers", "")
	for _, want := range []string{`"name":"buyers","type":"PERSONS"`, `"name":"email","data_type_name":"EMAIL","description":"it's theirs","is_encrypted":true,"is_index":false`, `"creation_time":"2026-11-21T12:00:00Z"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is missing in %s", want, a.body)
		}
	}
	if strings.Contains(a.body, "_tenant_id") {
		t.Error("built-ins are shown unasked")
	}
	if a := w.must("key-all", "GET", "ctl/collections/buyers?format=pvschema&options=show_builtins", ""); !strings.Contains(a.body, "_tenant_id TENANT_ID INDEX NULL BUILTIN") {
		t.Error(a.body)
	} else {
		w.must("key-all", "DELETE", "ctl/collections/buyers", "")
		w.must("key-all", "POST", "ctl/collections", a.body, "Content-Type", "application/pvschema")
	}
	if a := w.must("key-all", "GET", "ctl/collections", "", "Accept", "application/pvschema"); a.body != text {
		t.Errorf("got %q", a.body)
	}
	if a := w.must("key-all", "GET", "ctl/collections/buyers/properties/email", ""); !strings.HasPrefix(a.body, `{"name":"email"`) {
		t.Error(a.body)
	}
	if a := w.must("key-all", "GET", "ctl/collections/buyers/properties", ""); !strings.HasPrefix(a.body, `[{"name":"email"`) {
		t.Error(a.body)
	}
}

func TestBadCollections(t *testing.T) {
	w := withBuyers(t)
	post := func(status int, code, body string) {
		t.Helper()
		w.refused(status, code, "key-all", "POST", "ctl/collections", body)
	}
	prop := func(p string) string { return `{"name":"c1","type":"DATA","properties":[` + p + `]}` }
	post(409, "PV3218", `{"name":"Buyers","type":"DATA","properties":[]}`)
	post(400, "PV1008", `{"name":"1st","type":"DATA","properties":[]}`)
	post(400, "PV1008", `{"name":"`+strings.Repeat("a", 41)+`","type":"DATA","properties":[]}`)
	post(400, "PV1012", `{"name":"c1","type":"THINGS","properties":[]}`)
	post(400, "PV1012", prop(`{"name":"_mine","data_type_name":"STRING"}`))
	post(400, "PV1012", prop(`{"name":"id","data_type_name":"STRING"}`))
	post(400, "PV1012", prop(`{"name":"p","data_type_name":"NOPE"}`))
	post(400, "PV1012", prop(`{"name":"p","data_type_name":"JSON","is_index":true}`))
	post(400, "PV1012", prop(`{"name":"p","data_type_name":"STRING","is_builtin":true}`))
	post(400, "PV1012", prop(`{"name":"p","data_type_name":"STRING","unknown":true}`))
	post(409, "PV3218", prop(`{"name":"p","data_type_name":"STRING"},{"name":"P","data_type_name":"STRING"}`))
	post(501, "PV2001", prop(`{"name":"p","data_type_name":"BLOB"}`))
	for _, s := range []string{"", "x", "c DATA", "c DATA (", "c DATA (p)", "c DATA (p STRING NOT)", "c DATA (p STRING FOO);", "c DATA (p STRING COMMENT x);", "c DATA (p STRING COMMENT 'x);", "c DATA ();d DATA ();", "\xff"} {
		if a := w.as("key-all", "POST", "ctl/collections", s, "Content-Type", "application/pvschema"); a.status != 400 {
			t.Errorf("%q: %d %s", s, a.status, a.body)
		}
	}
	w.refused(415, "PV1012", "key-all", "POST", "ctl/collections", "<x/>", "Content-Type", "text/xml")
	w.refused(404, "PV1004", "key-all", "GET", "ctl/collections/nope", "")
	w.refused(404, "PV3004", "key-all", "GET", "ctl/collections/buyers/properties/nope", "")
	w.refused(400, "PV1008", "key-all", "GET", "ctl/collections/"+strings.Repeat("a", 2000), "")
	w.refused(400, "PV1008", "key-all", "GET", "data/collections/1st/objects/11111111-1111-4111-8111-111111111111"+why+"&props=id", "")
	w.refused(400, "PV1012", "key-all", "GET", buyers+"tokens"+why+"&token_ids="+strings.Repeat("a", 2000), "")
}

func TestPropertiesChangeOnlyWhereItIsSafe(t *testing.T) {
	w := withBuyers(t)
	w.add("key-all", `{"email":"a@b.c","group":"g1","user_id":"u1"}`)
	const p = "ctl/collections/buyers/properties/"
	search := func(q string) int {
		var page pageOf
		w.must("key-all", "POST", buyers+"query/objects"+why+"&props=email", q).json(t, &page)
		return len(page.Results)
	}
	w.must("key-all", "PATCH", p+"group", `{"is_index":true,"description":"team"}`)
	if search(`{"match":{"group":"g1"}}`) != 1 {
		t.Error("objects that were there are not in the new index")
	}
	w.must("key-all", "PATCH", p+"group", `{"is_index":false}`)
	w.refused(400, "PV3003", "key-all", "POST", buyers+"query/objects"+why+"&props=email", `{"match":{"group":"g1"}}`)
	w.must("key-all", "PATCH", p+"email", `{"is_nullable":true}`)
	for _, body := range []string{`{"is_nullable":false}`, `{"is_substring_index":true}`} {
		w.refused(400, "PV1012", "key-all", "PATCH", p+"email", body)
	}
	w.must("key-all", "PATCH", p+"email", `{"is_unique":false}`)
	w.refused(400, "PV1012", "key-all", "PATCH", p+"email", `{"is_unique":true}`)
	w.add("key-all", `{"email":"a@b.c"}`)

	w.must("key-all", "DELETE", p+"user_id", "")
	w.must("key-all", "POST", p+"user_id", `{"data_type_name":"STRING","is_nullable":true,"is_index":true}`)
	if search(`{"match":{"user_id":"u1"}}`) != 0 {
		t.Error("a deleted property came back")
	}
	var page pageOf
	w.must("key-all", "GET", buyers+"objects"+why+"&options=unsafe", "").json(t, &page)
	for _, r := range page.Results {
		if r["user_id"] != nil {
			t.Errorf("a deleted value came back: %v", r)
		}
	}
	w.refused(409, "PV3218", "key-all", "POST", p+"must", `{"data_type_name":"STRING"}`)
	w.must("key-all", "PATCH", "ctl/collections/buyers", `{"properties":[{"name":"extra","data_type_name":"STRING","is_nullable":true}]}`)
	w.refused(400, "PV1012", "key-all", "PATCH", "ctl/collections/buyers", `{"properties":[{"name":"extra","data_type_name":"EMAIL","is_nullable":true}]}`)
	w.must("key-all", "PATCH", "ctl/collections/buyers", `{"properties":[{"name":"points","data_type_name":"INTEGER","description":"d"}]}`)
	if a := w.must("key-all", "GET", "ctl/collections/buyers/properties/points", ""); !strings.Contains(a.body, `"description":"d"`) || !strings.Contains(a.body, `"is_index":true`) || !strings.Contains(a.body, `"is_nullable":true`) {
		t.Errorf("what the request did not name has changed: %s", a.body)
	}
	w.must("key-all", "PATCH", "ctl/collections/buyers?format=pvschema", "buyers PERSONS (points INTEGER NULL);", "Content-Type", "application/pvschema")
	if a := w.must("key-all", "GET", "ctl/collections/buyers/properties/points", ""); !strings.Contains(a.body, `"is_index":false`) {
		t.Errorf("PVSchema names every attribute: %s", a.body)
	}
}

func TestDeletedCollectionTakesItsDataAlong(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c"}`)
	w.must("key-all", "DELETE", "ctl/collections/buyers", "")
	w.refused(404, "PV1004", "key-all", "GET", buyers+"objects/"+id+why+"&props=email", "")
	w.must("key-all", "POST", "ctl/collections", schema)
	w.refused(404, "PV3005", "key-all", "GET", buyers+"objects/"+id+why+"&props=email", "")
	w.add("key-all", `{"email":"a@b.c"}`)
}

func TestDataTypes(t *testing.T) {
	w := newWorld(t)
	if a := w.must("key-all", "GET", "ctl/types", ""); a.body != "[]" {
		t.Error(a.body)
	}
	if a := w.must("key-all", "GET", "ctl/types?options=show_builtins", ""); !strings.Contains(a.body, `{"name":"SSN","base_type_name":"STRING"`) {
		t.Error(a.body)
	}
	w.must("key-all", "POST", "ctl/types", `{"name":"WORK_EMAIL","base_type_name":"EMAIL","description":"at work"}`)
	w.refused(409, "PV3218", "key-all", "POST", "ctl/types", `{"name":"work_email","base_type_name":"EMAIL"}`)
	w.refused(400, "PV1012", "key-all", "POST", "ctl/types", `{"name":"T2","base_type_name":"NOPE"}`)
	w.refused(501, "PV2001", "key-all", "POST", "ctl/types", `{"name":"T2","base_type_name":"EMAIL","validator":"pvlt.f"}`)
	w.must("key-all", "POST", "ctl/collections", `{"name":"staff","type":"PERSONS","properties":[{"name":"mail","data_type_name":"WORK_EMAIL"}]}`)
	w.refused(409, "PV3218", "key-all", "DELETE", "ctl/types/WORK_EMAIL", "")
	w.refused(400, "PV3003", "key-all", "POST", "data/collections/staff/objects"+why, `{"mail":"x"}`)
	w.must("key-all", "DELETE", "ctl/collections/staff", "")
	w.must("key-all", "DELETE", "ctl/types/WORK_EMAIL", "")
	w.refused(404, "PV1004", "key-all", "GET", "ctl/types/WORK_EMAIL", "")
}

func TestLaterOperationsSaySo(t *testing.T) {
	w := newWorld(t)
	for _, c := range [][2]string{{"GET", "ctl/bundles"}, {"POST", "ctl/actions"}, {"POST", "data/actions/http_call"}, {"GET", buyers + "export/tokens"}, {"POST", buyers + "encrypt/blob"}} {
		w.refused(501, "PV2001", "key-all", c[0], c[1], "")
	}
}
