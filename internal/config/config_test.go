package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const good = `
[[listener]]
address = "127.0.0.1:8200"

[storage]
directory = "data"

[[audit]]
type = "file"
options = { file_path = "audit.log", log_raw = false }
`

func none(string) string { return "" }

func TestTheSmallestFileIsSecure(t *testing.T) {
	c, err := Parse("/etc/jotgate/jotgate.toml", []byte(good), none)
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listeners[0]
	if !l.Vault || !l.Pvault || l.TLS() || c.Dev || c.Seal.Type != SealShamir || c.Keys.AllowLoopbackHTTP || c.Audit.None ||
		c.Audit.APIDirectory != "" || c.Pvault.AdminKey != "" || !c.Pvault.ForceReason || c.Pvault.AdminMayReadData {
		t.Errorf("defaults: %+v", c)
	}
	if c.Storage.Directory != "/etc/jotgate/data" || c.Audit.Devices[0].Options["file_path"] != "/etc/jotgate/audit.log" {
		t.Errorf("relative paths: %+v %+v", c.Storage, c.Audit)
	}
	if d := c.Audit.Devices[0]; d.Path != "file/" || d.Options["log_raw"] != "false" {
		t.Errorf("device: %+v", d)
	}
	if c.Limits.RequestTimeout != 90*time.Second || c.Log.Level != slog.LevelInfo || len(c.Warnings) != 0 {
		t.Errorf("limits and log: %+v", c)
	}
}

func TestEveryProblemAtOnceWithItsLine(t *testing.T) {
	text := `allow_no_audit = "yes"
colour = "red"

[[listener]]
address = "0.0.0.0:8200"

[[listener]]
add_ress = "127.0.0.1:8200"
doors = ["front"]

[storage]
type = "imbedded"
max_connections = 0

[limits]
request_timeout = "soon"
idle_timeout = 5

[[audit]]
type = "file"
[audit.options]
file_path = "a"
mode = "0777"

[seal]
type = "key_file"
`
	_, err := Parse("j.toml", []byte(text), none)
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	for _, want := range []string{
		`j.toml:1: allow_no_audit: is not true or false`,
		`j.toml:2: colour: unknown setting: remove it`,
		`j.toml:5: listener.0.address: would send tokens in clear beyond this machine: set tls_cert_file`,
		`j.toml:8: listener.1.add_ress: unknown setting: did you mean "address"?`,
		`j.toml:7: listener.1.address: is missing`,
		`j.toml:9: listener.1.doors: unknown door "front": use "vault" or "pvault"`,
		`j.toml:12: storage.type: unknown value "imbedded": use "embedded" or "postgres"`,
		`j.toml:13: storage.max_connections: is out of range: use a number from 1 to 10000`,
		`j.toml:11: storage.directory: is missing`,
		`j.toml:16: limits.request_timeout: "soon" is no duration`,
		`j.toml:17: limits.idle_timeout: is not a duration`,
		`j.toml:20: audit.0.type: audit option "mode" must not make the log executable`,
		`j.toml:26: seal.key_file: is missing`,
	} {
		if !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), strings.Replace(want, ":26:", ":25:", 1)) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	for i := 1; i < len(ps); i++ {
		if ps[i].Line < ps[i-1].Line {
			t.Errorf("problems are out of order:\n%v", err)
		}
	}
}

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	_, err := Parse("j.toml", []byte("[log]\nlevel = \n"), none)
	if err == nil || !strings.HasPrefix(err.Error(), "j.toml:2: not valid TOML") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("j.toml", []byte("[log]\nlevel = 'info'\nlevel = 'warn'\n"), none); err == nil || !strings.Contains(err.Error(), "not valid TOML") {
		t.Errorf("repeated key: %v", err)
	}
}

func write(t *testing.T, mode os.FileMode, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p, mode); err != nil {
		t.Fatal(err)
	}
	return p
}

// with replaces one part of the good file.
func with(old, new string) string { return strings.Replace(good, old, new, 1) }

func TestRulesThatProtectSecrets(t *testing.T) {
	open, private, empty := write(t, 0o644, "open", "s3cret"), write(t, 0o600, "private", "s3cret\n"), write(t, 0o600, "empty", "")
	listener := `address = "127.0.0.1:8200"`
	storage := `directory = "data"`
	env := func(k string) string { return map[string]string{"KEY": "s3cret", "DSN": "postgres://u:s3cret@h/d"}[k] }
	for name, c := range map[string]struct{ text, want string }{
		"no listener":        {"[storage]\ndirectory='d'\nallow=1\n", "no [[listener]]"},
		"half a certificate": {with(listener, listener+"\ntls_cert_file='c'"), "belong together"},
		"bad certificate":    {with(listener, listener+"\ntls_cert_file='"+open+"'\ntls_key_file='"+open+"'"), "certificate and key cannot be used"},
		"key open to all":    {with(listener, listener+"\ntls_cert_file='"+open+"'\ntls_key_file='"+open+"'"), "can be read by every user"},
		"no door":            {with(listener, listener+"\ndoors=[]"), "names no door"},
		"no port":            {with(listener, `address = "127.0.0.1"`), "is no address"},
		"bad port":           {with(listener, `address = "127.0.0.1:http"`), "has no valid port"},
		"address twice":      {good + "\n[[listener]]\n" + listener, "is used by another listener"},
		"no audit":           {with("[[audit]]", "[ignored]"), "no audit device is set up"},
		"audit and none":     {"allow_no_audit = true\n" + good, "is true, but a device is set up"},
		"device twice":       {good + "\n[[audit]]\ntype='file'\noptions={file_path='b'}", "is used by another device"},
		"unknown option":     {with("log_raw = false", "log_row = false"), `unknown audit option "log_row"`},
		"option of no type":  {with("log_raw = false", "log_raw = [1]"), "is not a text, number or boolean"},
		"postgres, no dsn":   {with(storage, "type = 'postgres'"), "set dsn, dsn_env or dsn_file"},
		"two dsn":            {with(storage, "type = 'postgres'\ndsn='a'\ndsn_env='DSN'"), "is given more than once"},
		"unset variable":     {with(storage, "type = 'postgres'\ndsn_env='NOPE'"), `the variable "NOPE" is not set`},
		"dsn open to all":    {with(storage, "type = 'postgres'\ndsn_file='"+open+"'"), "can be read by every user"},
		"dsn missing":        {with(storage, "type = 'postgres'\ndsn_file='/nope'"), "cannot be read"},
		"dsn empty":          {with(storage, "type = 'postgres'\ndsn_file='"+empty+"'"), "is empty"},
		"both stores":        {with(storage, storage+"\ndsn='a'"), "is embedded, but a DSN is set"},
		"both stores 2":      {with(storage, storage+"\ntype='postgres'\ndsn='a'"), "is postgres, but a directory is set"},
		"seal file open":     {good + "\n[seal]\ntype='key_file'\nkey_file='" + open + "'", "can be read by every user"},
		"seal unused":        {good + "\n[seal]\nkey_file='" + private + "'", "is not used by this seal"},
		"seal unused 2":      {good + "\n[seal]\nkey_env='KEY'", "is not used by this seal"},
		"seal env missing":   {good + "\n[seal]\ntype='env'", "name the variable"},
		"seal env unset":     {good + "\n[seal]\ntype='env'\nkey_env='NOPE'", "is not set"},
		"admin key twice":    {good + "\n[pvault]\nadmin_key_env='KEY'\nadmin_key_file='" + private + "'", "is given more than once"},
		"admin key unset":    {good + "\n[pvault]\nadmin_key_env='NOPE'", "is not set"},
		"origins":            {good + "\n[pvault]\nallow_origins=['https://a.test/path']", "is no origin"},
		"pages":              {good + "\n[pvault]\nmax_page_size=5\ndefault_page_size=6", "is greater than max_page_size"},
		"iam missing":        {good + "\n[iam]\nfile='/nope'", "name the IAM file"},
		"audit over store":   {"audit_api_directory='/x'\n" + good, "holds what settings file names"},
		"audit over data":    {"audit_api_directory='/x/data'\n" + good, "holds what storage.directory names"},
		"audit over all":     {"audit_api_directory='/'\n" + good, "so that an audit device could write into it"},
		"audit over seal":    {"audit_api_directory='" + filepath.Dir(private) + "'\n" + good + "\n[seal]\ntype='key_file'\nkey_file='" + private + "'", "holds what seal.key_file names"},
		"audit over key":     {"audit_api_directory='" + filepath.Dir(private) + "'\n" + good + "\n[pvault]\nadmin_key_file='" + private + "'", "holds what pvault.admin_key_file names"},
		"no table":           {"log = 1\n" + good, "is not a table"},
		"no tables":          {"audit = 1\n" + strings.Split(good, "[[audit]]")[0], "is not one or more tables"},
		"tables of numbers":  {"audit = [1]\n" + strings.Split(good, "[[audit]]")[0], "write [[audit]]"},
		"doors of numbers":   {with(listener, listener+"\ndoors=[1]"), "is not a list of texts"},
	} {
		_, err := Parse("/x/j.toml", []byte(c.text), env)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"postgres by variable": with(storage, "type = 'postgres'\ndsn_env='DSN'"),
		"postgres by file":     with(storage, "type = 'postgres'\ndsn_file='"+private+"'"),
		"key file":             good + "\n[seal]\ntype='key_file'\nkey_file='" + private + "'\n[pvault]\nadmin_key_env='KEY'",
		"key variable":         good + "\n[seal]\ntype='env'\nkey_env='KEY'\n[pvault]\nadmin_key_file='" + private + "'",
		"audit by API":         "allow_no_audit=true\naudit_api_directory='/var/log'\n" + strings.Split(good, "[[audit]]")[0],
		"no audit, allowed":    "allow_no_audit=true\n" + strings.Split(good, "[[audit]]")[0],
		"plain behind a proxy": with(listener, "address = '0.0.0.0:8200'\nallow_plain_http=true"),
	} {
		if _, err := Parse("/x/j.toml", []byte(text), env); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDSNInAReadableFileIsRefused(t *testing.T) {
	text := with(`directory = "data"`, "type = 'postgres'\ndsn = 'postgres://u:s3cret@h/d'")
	if _, err := Load(write(t, 0o644, "j.toml", text)); err == nil || !strings.Contains(err.Error(), "can be read by every user") {
		t.Errorf("readable: %v", err)
	}
	if _, err := Load(write(t, 0o600, "j.toml", text)); err != nil {
		t.Errorf("private: %v", err)
	}
	if _, err := Load(write(t, 0o644, "j.toml", strings.Replace(text, ":s3cret", "", 1))); err != nil {
		t.Errorf("without a password: %v", err)
	}
}

func TestLoadSaysWhatIsWrongWithTheFile(t *testing.T) {
	if _, err := Load("/nope.toml"); err == nil || !strings.Contains(err.Error(), "/nope.toml: no such file") {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
	if _, err := Load(write(t, 0o600, "j.toml", strings.Repeat("#", maxFile+1))); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("huge: %v", err)
	}
}

func TestDev(t *testing.T) {
	dir := t.TempDir()
	c, err := Dev(DevOptions{RootToken: "root", Directory: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Dev || c.DevRootToken != "root" || len(c.Listeners) != 2 || c.Storage.Temporary || !c.Seal.CreateKey || c.Audit.None ||
		c.Audit.Devices[0].Options["file_path"] != filepath.Join(dir, "audit.log") || c.Pvault.AdminKey != DevAdminKey || len(c.Warnings) != 0 {
		t.Errorf("%+v", c)
	}
	// The root token is well known: devices of the API write nowhere else, and
	// nothing of the server's own is there.
	if got := c.Audit.APIDirectory; got != filepath.Join(dir, "audit") || inside(got, c.Seal.KeyFile) || inside(got, c.Storage.Directory) {
		t.Error(got)
	}
	if info, err := os.Stat(c.Audit.APIDirectory); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
	c, err = Dev(DevOptions{ListenAddress: "0.0.0.0:1", AuditFile: "discard"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(c.Storage.Directory) }()
	if len(c.Listeners) != 1 || !c.Listeners[0].Vault || !c.Listeners[0].Pvault || !c.Storage.Temporary || len(c.Warnings) != 1 {
		t.Errorf("%+v", c)
	}
	for _, o := range []DevOptions{{ListenAddress: "x", Directory: dir}, {IAMFile: "/nope", Directory: dir}, {RootToken: "a b", Directory: dir}, {RootToken: "ü", Directory: dir}} {
		if _, err := Dev(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestTheDocumentedSettingsAreTheRealOnes(t *testing.T) {
	raw, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	example := doc[strings.Index(doc, "```toml\n")+8:]
	example = example[:strings.Index(example, "```")]
	_, s := parse("/x/j.toml", []byte(example), none)
	if len(s.problems) > 0 {
		t.Fatalf("the example does not load: %v", s.problems)
	}
	number := regexp.MustCompile(`\.\d+`)
	real := map[string]bool{}
	for k := range s.asked {
		k = number.ReplaceAllString(k, "")
		real[k] = true
		if !strings.Contains(doc, "| `"+k+"` |") {
			t.Errorf("setting %s is not documented", k)
		}
	}
	settings, _, _ := strings.Cut(doc, "## Development mode")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\|").FindAllStringSubmatch(settings, -1) {
		if !real[m[1]] {
			t.Errorf("documented setting %s is unknown", m[1])
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("[[listener]]\naddress='x'\n[[listener.y]]\n[listener.y.z]\na.b.c=1\n"))
	f.Add([]byte("audit=[{options={a=[[]]}}]\n\"\"=1\n'a.b'=2\n[\"\"]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("/nope/j.toml", text, none)
		if (c == nil) == (err == nil) {
			t.Errorf("neither settings nor problems for %q", text)
		}
		var ps Problems
		if err != nil && (!errors.As(err, &ps) || len(ps) == 0) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
