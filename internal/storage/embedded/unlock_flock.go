//go:build unix && !solaris && !aix

package embedded

import (
	"os"
	"syscall"
)

// unlock gives up the lock on the file. Closing alone would not while the file
// is still mapped.
func unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // a descriptor fits
}
