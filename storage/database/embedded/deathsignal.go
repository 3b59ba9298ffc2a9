//go:build linux || freebsd

package embedded

import "syscall"

// setDeathSignal has the kernel signal the child when its parent dies. On Linux the parent is the
// thread that made it, not the process, so the caller keeps that thread (syscall.SysProcAttr).
func setDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
