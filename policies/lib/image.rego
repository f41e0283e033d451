# METADATA
# title: What rules often ask of an image's facts
package hallmark.image

# env(name) is the value of an environment variable of the configuration; undefined where it is not set.
env(name) := [e.value | some e in input.facts.config.env; e.name == name][0]

# file(path) is the fact of a path, after symbolic links as far as their ends are known.
file(path) := fact if {
	link := input.facts.files[path]
	link.type == "symlink"
	fact := input.facts.files[link.resolves_to]
}

file(path) := fact if {
	fact := input.facts.files[path]
	fact.type != "symlink"
}

# base(path) is the last element of a path.
base(path) := regex.replace(path, `^.*/`, "")

# digit(fact, place) is one octal digit of a mode: 4 is special, 3 the owner's, 2 the group's, 1 everybody's.
digit(fact, place) := to_number(substring(fact.mode, count(fact.mode) - place, 1)) if {
	regex.match(`^[0-7]{4}$`, fact.mode)
}

setuid(fact) if bits.and(digit(fact, 4), 4) != 0

setgid(fact) if bits.and(digit(fact, 4), 2) != 0

sticky(fact) if bits.and(digit(fact, 4), 1) != 0

group_writable(fact) if bits.and(digit(fact, 2), 2) != 0

world_writable(fact) if bits.and(digit(fact, 1), 2) != 0

world_readable(fact) if bits.and(digit(fact, 1), 4) != 0

# uid is the number of the user that the image runs as.
uid := 0 if input.facts.config.user == ""

uid := to_number(name) if {
	name := split(input.facts.config.user, ":")[0]
	regex.match(`^[0-9]{1,10}$`, name)
}

uid := input.facts.config.uid if {
	not regex.match(`^([0-9]{1,10}(:.*)?)?$`, input.facts.config.user)
}

# who names the image's user in messages.
who := sprintf("user %d", [uid])

who := sprintf("user %q", [input.facts.config.user]) if not known_number

known_number if uid >= 0

# gids are the groups that the image's user belongs to. A number without a line in /etc/passwd is in group 0, as runtimes
# have it.
gids contains gid if {
	some user in input.facts.users
	user.uid == uid
	not own_group
	gid := user.gid
}

gids contains 0 if {
	not known_user
	not own_group
}

gids contains gid if {
	some group in input.facts.groups
	some user in input.facts.users
	user.uid == uid
	user.name in group.members
	gid := group.gid
}

gids contains own_group

known_user if {
	some user in input.facts.users
	user.uid == uid
}

own_group := to_number(name) if {
	name := split(input.facts.config.user, ":")[1]
	regex.match(`^[0-9]{1,10}$`, name)
}

own_group := group.gid if {
	name := split(input.facts.config.user, ":")[1]
	some group in input.facts.groups
	group.name == name
}

# may(fact, bit) says whether the image's user has a right to a file: bit 4 reads, 2 writes, 1 runs or enters.
may(_, _) if uid == 0

may(fact, bit) if {
	uid != 0
	fact.uid == uid
	bits.and(digit(fact, 3), bit) != 0
}

may(fact, bit) if {
	uid != 0
	fact.uid != uid
	fact.gid in gids
	bits.and(digit(fact, 2), bit) != 0
}

may(fact, bit) if {
	uid != 0
	fact.uid != uid
	not fact.gid in gids
	bits.and(digit(fact, 1), bit) != 0
}

# A user that nobody knows has the rights of everybody.
may(fact, bit) if {
	not known_number
	bits.and(digit(fact, 1), bit) != 0
}
