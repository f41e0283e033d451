package hallmark.base

import data.hallmark.image
import data.hallmark.words

# METADATA
# title: The image must not run as root
# description: Root in a container is root to the kernel; a flaw in the runtime makes it root on the host.
# custom:
#   severity: medium
#   remedy: Add USER with a number other than 0 as the Dockerfile's last USER, or set the parameter allow_root.
#   source: NIST SP 800-190, section 4.1.2; CIS Docker Benchmark 1.6, 4.1
#   effective: 2025-01-01
deny.user contains "no USER is set: the image runs as root" if {
	not input.params.allow_root
	input.facts.config.user == ""
}

deny.user contains sprintf("USER %s is root", [input.facts.config.user]) if {
	not input.params.allow_root
	input.facts.config.user != ""
	image.uid == 0
}

# METADATA
# title: The user must exist
# description: A runtime refuses to start a container whose user is a name without a line in /etc/passwd.
# custom:
#   severity: high
#   remedy: Create the user (useradd, adduser) before USER, or give USER as a number.
#   source: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md
#   effective: 2025-01-01
deny.user_exists contains {"message": sprintf("USER %s has no line in /etc/passwd", [name]), "file": "/etc/passwd"} if {
	name := split(input.facts.config.user, ":")[0]
	name != ""
	not regex.match(`^[0-9]+$`, name)
	not name in {user.name | some user in input.facts.users}
}

# METADATA
# title: Only root may have the number 0
# custom:
#   severity: high
#   remedy: Give the user a number of its own, or remove it.
#   source: CIS Distribution Independent Linux Benchmark 2.0, 6.2.5
#   effective: 2025-01-01
deny.uid_zero contains {"message": sprintf("the user %s has the number 0 too", [user.name]), "file": "/etc/passwd"} if {
	some user in input.facts.users
	user.uid == 0
	user.name != "root"
}

# METADATA
# title: Users must have names and numbers of their own
# description: Two users with one number share their files; of two with one name, programs find the first.
# custom:
#   severity: medium
#   remedy: Give every line of /etc/passwd a name and a number of its own.
#   source: CIS Distribution Independent Linux Benchmark 2.0, 6.2.16 and 6.2.18
#   effective: 2025-01-01
deny.users_unique contains {"message": sprintf("the number %d belongs to %s", [uid, words.few(names)]), "file": "/etc/passwd"} if {
	some uid in {user.uid | some user in input.facts.users}
	uid != 0
	names := sort({user.name | some user in input.facts.users; user.uid == uid})
	count(names) > 1
}

deny.users_unique contains {"message": sprintf("the name %q stands in /etc/passwd %d times", [name, times]), "file": "/etc/passwd"} if {
	some name in {user.name | some user in input.facts.users}
	times := count([user | some user in input.facts.users; user.name == name])
	times > 1
}

deny.users_unique contains {"message": sprintf("the user with the number %d has no name", [user.uid]), "file": "/etc/passwd"} if {
	some user in input.facts.users
	trim_space(user.name) == ""
}
