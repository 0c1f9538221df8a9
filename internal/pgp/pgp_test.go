package pgp

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/jotgate/jotgate/internal/fault"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// holder is somebody with a key pair.
func holder(t *testing.T, c packet.Config) *openpgp.Entity {
	t.Helper()
	c.Time = at(noon)
	e, err := openpgp.NewEntity("A Holder", "", "holder@example.com", &c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func public(t *testing.T, list ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, e := range list {
		if err := e.Serialize(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func armored(t *testing.T, kind string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, kind, nil)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOnlyTheHolderReads(t *testing.T) {
	for name, c := range map[string]packet.Config{
		"RSA": {RSABits: 2048}, "Curve25519": {Algorithm: packet.PubKeyAlgoEdDSA}, "P-256": {Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256},
	} {
		t.Run(name, func(t *testing.T) {
			e, other := holder(t, c), holder(t, c)
			k, err := Parse(b64(public(t, e))+"\n", at(noon))
			if err != nil {
				t.Fatal(err)
			}
			msg, err := k.Encrypt([]byte("a share"))
			if err != nil || bytes.Contains(msg, []byte("a share")) {
				t.Fatalf("%d bytes, %v", len(msg), err)
			}
			md, err := openpgp.ReadMessage(bytes.NewReader(msg), openpgp.EntityList{e}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(md.UnverifiedBody); err != nil || string(plain) != "a share" {
				t.Errorf("%q %v", plain, err)
			}
			if _, err := openpgp.ReadMessage(bytes.NewReader(msg), openpgp.EntityList{other}, nil, nil); err == nil {
				t.Error("another key opens it")
			}
			if len(k.Fingerprint()) < 40 {
				t.Errorf("fingerprint %q", k.Fingerprint())
			}
		})
	}
}

func TestKeysThatNobodyShouldEncryptToAreRefused(t *testing.T) {
	good := holder(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	weak := holder(t, packet.Config{RSABits: 1024})
	short := holder(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: 3600})
	revoked := holder(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err := revoked.RevokeKey(packet.KeyCompromised, "lost", &packet.Config{Time: at(noon)}); err != nil {
		t.Fatal(err)
	}
	signing := holder(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	signing.Subkeys = nil
	var secret bytes.Buffer
	if err := good.SerializePrivateWithoutSigning(&secret, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":         {"", "it is no OpenPGP key"},
		"no base64":       {"?", "it is not the base64 of a binary key"},
		"armored":         {string(armored(t, openpgp.PublicKeyType, public(t, good))), "it is not the base64 of a binary key"},
		"anything":        {b64([]byte("hello")), "it is no OpenPGP key"},
		"cut short":       {b64(public(t, good)[:100]), ""},
		"private":         {b64(secret.Bytes()), "it is a private key"},
		"two":             {b64(public(t, good, weak)), "something follows the key"},
		"too weak":        {b64(public(t, weak)), "it is too weak"},
		"expired":         {b64(public(t, short)), "is expired or revoked"},
		"revoked":         {b64(public(t, revoked)), "is expired or revoked"},
		"for signatures":  {b64(public(t, signing)), "it has no part for that"},
		"larger than any": {b64(make([]byte, MaxKey+1)), "it is larger than"},
	} {
		_, err := Parse(c.text, at(noon.Add(2*time.Hour)))
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(fault.PublicText(err), "error parsing given PGP key: ") || !strings.Contains(fault.PublicText(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Parse(b64(public(t, short)), at(noon.Add(time.Minute))); err != nil {
		t.Errorf("before it expires: %v", err)
	}
	if _, err := ParseAll([]string{b64(public(t, good)), "?"}, at(noon)); err == nil {
		t.Error("a bad key among good ones is taken")
	}
	if _, err := (Key{}).Encrypt([]byte("x")); err == nil {
		t.Error("the zero key encrypts")
	}
}

func TestFilesOfKeysAreReadInEveryForm(t *testing.T) {
	e := holder(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	raw := public(t, e)
	for name, content := range map[string][]byte{
		"armored": armored(t, openpgp.PublicKeyType, raw), "binary": raw, "base64": []byte(b64(raw) + "\n"),
	} {
		if text, err := FromFile(content); err != nil || text != b64(raw) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var secret bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&secret, nil); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "private": secret.Bytes(), "private, armored": armored(t, openpgp.PrivateKeyType, secret.Bytes()),
		"two": armored(t, openpgp.PublicKeyType, public(t, e, e)),
	} {
		if _, err := FromFile(content); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// GnuPG is what holders have.
func TestGnuPGReadsWhatIsEncrypted(t *testing.T) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		t.Fatal("gpg is not installed: run make setup")
	}
	home := t.TempDir()
	run := func(in []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), gpg, append([]string{"--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
		cmd.Stdin = bytes.NewReader(in)
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %q: %v: %s", args, err, errOut.String())
		}
		return out
	}
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	run(nil, "--quick-gen-key", "holder@example.com", "default", "default", "never")
	t.Cleanup(func() {
		_ = exec.CommandContext(t.Context(), "gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
	})
	text, err := FromFile(run(nil, "--export", "--armor", "holder@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := Parse(text, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := k.Encrypt([]byte("a share"))
	if err != nil {
		t.Fatal(err)
	}
	if plain := run(msg, "--decrypt"); string(plain) != "a share" {
		t.Errorf("gpg reads %q", plain)
	}
}

func FuzzParse(f *testing.F) {
	e, err := openpgp.NewEntity("A", "", "", &packet.Config{Time: at(noon), Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := Parse(b64(raw), at(noon))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if _, err := k.Encrypt([]byte("x")); err != nil {
			t.Fatal(err)
		}
	})
}
