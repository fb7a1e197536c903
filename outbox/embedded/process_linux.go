package embedded

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// dieWithUs makes the process shut down when this one ends, however it does.
func dieWithUs(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// notRoot returns how to start a program of PostgreSQL, which refuses to be
// root. Root starts it in a user namespace where it is called otherwise, and the
// files stay root's. Where there are no namespaces it becomes another user, who
// is given the paths and may pass the folders above them.
func notRoot(paths ...string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	if attr := inNamespace(); works(attr) {
		return inNamespace(), nil
	}
	uid, gid := somebody()
	for _, path := range paths {
		if err := giveAway(path, uid, gid); err != nil {
			return nil, err
		}
	}
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, AmbientCaps: []uintptr{capReadSearch}}
	if !works(attr) {
		attr.AmbientCaps = nil // the folders have to be open to all, then
	}
	return attr, nil
}

const (
	insideID      = 1000 // what root is called in the namespace
	capReadSearch = 2    // CAP_DAC_READ_SEARCH
)

func inNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: insideID, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: insideID, HostID: 0, Size: 1}},
		Credential:  &syscall.Credential{Uid: insideID, Gid: insideID, NoSetGroups: true},
	}
}

// works reports whether a program can be started so on this machine.
func works(attr *syscall.SysProcAttr) bool {
	cmd := exec.Command("/proc/self/exe")
	cmd.Path, cmd.Args = "/bin/true", []string{"true"}
	cmd.SysProcAttr = attr
	return cmd.Run() == nil
}

// somebody returns a user other than root: postgres if there is one.
func somebody() (uid, gid int) {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			if uid != 0 {
				return uid, gid
			}
		}
	}
	return 65534, 65534
}

// giveAway makes path, and all below it, belong to a user. What is not there yet
// is made, if it is to be a folder.
func giveAway(path string, uid, gid int) error {
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
	}
	return filepath.WalkDir(path, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

// alive reports whether there is a process of that id.
func alive(pid int) bool {
	_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	return err == nil || !os.IsNotExist(err)
}
