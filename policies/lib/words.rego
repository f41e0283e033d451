# METADATA
# title: Words for messages
package hallmark.words

# few(list) names the first members of a list and counts the rest.
few(list) := concat(", ", list) if count(list) <= 5

few(list) := sprintf("%s and %d more", [concat(", ", array.slice(list, 0, 5)), count(list) - 5]) if count(list) > 5

# mib(bytes) is a number of bytes in whole MiB, rounded up.
mib(bytes) := ceil(bytes / 1048576)
