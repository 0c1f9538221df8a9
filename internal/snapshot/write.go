package snapshot

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/go-json-experiment/json"
)

// Names of the members.
const (
	metaName   = "meta.json"
	dataName   = "jotgate.db"
	sumsName   = "SHA256SUMS"
	sealedName = "SHA256SUMS.sealed"
)

// version is that of the archive's form.
const version = 1

// Meta says what an archive holds.
type Meta struct {
	Version int       `json:"Version"` // of the form; set by NewWriter
	ID      string    `json:"ID"`      // made up for each archive
	Created time.Time `json:"Created"`
	Server  string    `json:"Server"`    // version of the server
	Cluster string    `json:"ClusterID"` // installation that it was taken from
	Size    int64     `json:"Size"`      // of the data, in bytes
}

// Writer writes an archive. The data goes in with Write, Close completes it; an
// archive that is not closed is refused by every reader.
type Writer struct {
	gz   *gzip.Writer
	tar  *tar.Writer
	at   time.Time
	data hash.Hash
	sums []byte // lines of the list so far
}

// NewWriter begins an archive of m.Size bytes of data.
func NewWriter(w io.Writer, m Meta) (*Writer, error) {
	m.Version = version
	meta, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	// Sealed bytes do not get smaller: they are stored as they are.
	gz, err := gzip.NewWriterLevel(w, gzip.NoCompression)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	out := &Writer{gz: gz, tar: tar.NewWriter(gz), at: m.Created.Truncate(time.Second), data: sha256.New()}
	if err := out.member(metaName, append(meta, '\n')); err != nil {
		return nil, err
	}
	if err := out.header(dataName, m.Size); err != nil {
		return nil, err
	}
	return out, nil
}

func (w *Writer) header(name string, size int64) error {
	err := w.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: w.at, Typeflag: tar.TypeReg})
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// member writes a whole small member and notes its sum.
func (w *Writer) member(name string, content []byte) error {
	if err := w.header(name, int64(len(content))); err != nil {
		return err
	}
	if _, err := w.tar.Write(content); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	sum := sha256.Sum256(content)
	w.note(name, sum[:])
	return nil
}

func (w *Writer) note(name string, sum []byte) { w.sums = append(w.sums, sumLine(name, sum)...) }

// sumLine is a line of the list, as sha256sum writes it.
func sumLine(name string, sum []byte) string { return hex.EncodeToString(sum) + "  " + name + "\n" }

// Write adds data. More than was announced is an error.
func (w *Writer) Write(p []byte) (int, error) {
	_, _ = w.data.Write(p) // never fails
	return w.tar.Write(p)
}

var errUnsealed = errors.New("snapshot: the list of sums could not be sealed")

// Close completes the archive. seal makes a copy of the list of sums that only
// the store could have made; nil from it is a failure. Less data than was
// announced is an error.
func (w *Writer) Close(seal func(list []byte) []byte) error {
	w.note(dataName, w.data.Sum(nil))
	list := w.sums
	sealed := seal(list)
	if len(sealed) == 0 {
		return errUnsealed
	}
	if err := w.member(sumsName, list); err != nil {
		return err
	}
	if err := w.member(sealedName, sealed); err != nil {
		return err
	}
	if err := errors.Join(w.tar.Close(), w.gz.Close()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}
