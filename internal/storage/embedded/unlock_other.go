//go:build !unix || solaris || aix

package embedded

import "os"

// unlock has nothing to do where closing the file gives up the lock.
func unlock(*os.File) {}
