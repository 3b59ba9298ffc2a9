//go:build unix && !aix && !solaris

package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// An account is the operating system's user that the server runs as.
type account struct {
	uid, gid uint32
	// other is set when it is not the program's own user, that is, when the program is root.
	other bool
}

// unprivilegedUsers are the accounts that root's server may run as, best first.
var unprivilegedUsers = []string{"postgres", "nobody"}

// serverAccount returns the user for the server: the program's own, unless that is root. A cluster
// that exists already stays with its owner, whatever accounts have come since.
func serverAccount(cluster string) (account, error) {
	owner, err := ownerOf(cluster)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return account{}, err
	}
	self := account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	switch {
	case self.uid != 0 && exists && owner.uid != self.uid:
		return account{}, fmt.Errorf("%s belongs to %s; run as that user or use another data folder", cluster, owner)
	case self.uid != 0:
		return self, nil
	case exists && owner.uid == 0:
		return account{}, fmt.Errorf("%s belongs to root, but PostgreSQL does not run as root; give it to another user (chown -R), or use another data folder", cluster)
	case exists:
		owner.other = true
		return owner, nil
	}
	return unprivilegedAccount()
}

// unprivilegedAccount looks up the user to drop to.
func unprivilegedAccount() (account, error) {
	for _, name := range unprivilegedUsers {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s has the odd id %q", name, u.Uid)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s has the odd group id %q", name, u.Gid)
		}
		if uid != 0 {
			return account{uid: uint32(uid), gid: uint32(gid), other: true}, nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is neither a user \"postgres\" nor a user \"nobody\" to run it as; add one (useradd --system postgres), or run as an ordinary user")
}

// ownerOf returns the owner of a file, without following a link.
func ownerOf(path string) (account, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return account{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return account{}, fmt.Errorf("%s: the file system does not tell its owner", path)
	}
	return account{uid: st.Uid, gid: st.Gid}, nil
}

// String names the user for messages.
func (a account) String() string {
	id := strconv.FormatUint(uint64(a.uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}

// own gives path, which the program just made, to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	return os.Lchown(path, int(a.uid), int(a.gid))
}

// attributes are those of every child process: its own session, so that Ctrl-C in a terminal
// reaches the program only, which then stops the server in order; the account, without
// supplementary groups; and death, the signal that the kernel sends it when the program dies,
// where the operating system has such a thing; 0 is none.
func (a account) attributes(death syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a.other {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	setDeathSignal(attr, death)
	return attr
}
