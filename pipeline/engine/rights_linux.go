package engine

import "golang.org/x/sys/unix"

// rights are what the engine and its containers need of root: mounts and namespaces, a second process in a container,
// a network of a container's own. Containers have none of them unless they are privileged.
var rights = []struct {
	name string
	bit  uint
}{{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN}, {"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}}

// lacking are those that this process does not have.
func lacking() (names []string) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var halves [2]unix.CapUserData // of 64 bits
	if unix.Capget(&header, &halves[0]) != nil {
		return nil // then the attempt will tell
	}
	for _, right := range rights {
		if halves[right.bit/32].Effective&(1<<(right.bit%32)) == 0 {
			names = append(names, right.name)
		}
	}
	return names
}
