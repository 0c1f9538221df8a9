package snapshot

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxSmall bounds every member but the data.
const maxSmall = 64 << 10

// magic is how gzip begins.
var magic = []byte{0x1f, 0x8b}

// IsArchive reports whether a file that begins like this may be an archive.
func IsArchive(start []byte) bool { return bytes.HasPrefix(start, magic) }

func damaged(format string, args ...any) error {
	return fault.Newf(fault.Invalid, "the snapshot is damaged: "+format, args...)
}

// Read copies the data of an archive to w and returns what the archive says of
// it. An error that is Invalid means that the archive is not whole, or not as
// it was written: what w got is worth nothing then. The sealed list is not
// looked into: only the unsealed store could.
func Read(r io.Reader, w io.Writer) (Meta, error) {
	src, dst := &source{r: r}, &target{w: w}
	m, err := read(src, dst)
	switch {
	case src.err != nil:
		return Meta{}, src.err
	case dst.err != nil:
		return Meta{}, dst.err
	case err != nil:
		return Meta{}, err
	}
	return m, nil
}

func read(from io.Reader, w io.Writer) (Meta, error) {
	r := bufio.NewReader(from) // gzip reads single bytes from it, and none too many
	gz, err := gzip.NewReader(r)
	if err != nil {
		return Meta{}, damaged("it is no gzip file")
	}
	gz.Multistream(false)
	in := reader{tar: tar.NewReader(gz)}
	meta, err := in.readAll(w)
	if err != nil {
		return Meta{}, err
	}
	// The end of the tar format is padding, behind which gzip has its own sum.
	if _, err := io.Copy(io.Discard, io.LimitReader(gz, maxSmall)); err != nil {
		return Meta{}, damaged("its end is missing")
	}
	if n, err := gz.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return Meta{}, damaged("something follows its end")
	}
	if _, err := r.ReadByte(); err == nil {
		return Meta{}, damaged("something follows its end")
	}
	return meta, nil
}

// source and target remember what went wrong outside the archive.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

type target struct {
	w   io.Writer
	err error
}

func (t *target) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	if err != nil {
		t.err = err
	}
	return n, err
}

// reader reads the members in their order.
type reader struct {
	tar  *tar.Reader
	list []byte // the list of sums as it must be
}

func (r *reader) readAll(w io.Writer) (Meta, error) {
	var m Meta
	text, err := r.small(metaName)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Version != version {
		return m, damaged("%s is not of version %d", metaName, version)
	}
	if err := r.data(w, m.Size); err != nil {
		return m, err
	}
	want := bytes.Clone(r.list)
	list, err := r.small(sumsName)
	if err != nil {
		return m, err
	}
	if !bytes.Equal(list, want) {
		return m, damaged("the sums do not fit")
	}
	sealed, err := r.small(sealedName)
	if err != nil {
		return m, err
	}
	if len(sealed) == 0 {
		return m, damaged("%s is empty", sealedName)
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return m, damaged("something follows %s", sealedName)
	}
	return m, nil
}

// next goes to a member, which must be the one that comes next.
func (r *reader) next(name string) (*tar.Header, error) {
	h, err := r.tar.Next()
	if err != nil {
		return nil, damaged("%s", name+" is missing")
	}
	if h.Name != name || h.Typeflag != tar.TypeReg {
		return nil, damaged("%s is not where it belongs", name)
	}
	return h, nil
}

func (r *reader) small(name string) ([]byte, error) {
	h, err := r.next(name)
	if err != nil {
		return nil, err
	}
	if h.Size > maxSmall {
		return nil, damaged("%s is too large", name)
	}
	b, err := io.ReadAll(io.LimitReader(r.tar, maxSmall))
	if err != nil {
		return nil, damaged("%s", name+" is cut short")
	}
	sum := sha256.Sum256(b)
	r.list = append(r.list, sumLine(name, sum[:])...)
	return b, nil
}

func (r *reader) data(w io.Writer, size int64) error {
	h, err := r.next(dataName)
	if err != nil {
		return err
	}
	if h.Size != size {
		return damaged("%s is not as large as %s says", dataName, metaName)
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), r.tar); err != nil {
		return damaged("%s", dataName+" is cut short")
	}
	r.list = append(r.list, sumLine(dataName, sum.Sum(nil))...)
	return nil
}
