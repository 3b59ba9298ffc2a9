//go:build unix && !aix && !solaris && !linux && !freebsd

package embedded

import "syscall"

// setDeathSignal does nothing: this system cannot signal the children of a killed program. The
// next Start ends the server that was left behind.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
