package devstack

import "os"

const maxLogSize = 16 << 20

// openLog appends to the log at path; one that has grown large is kept as
// path.1 first, so logs never fill the disk of a long-lived state folder.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
