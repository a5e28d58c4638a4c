/* cpus.h: the part of twin_usable_cpus() that a test can give other files to. */
#ifndef TWINI_CPUS_H
#define TWINI_CPUS_H

/* CPUs that the tightest quota allows, rounded up, on the way from the groups that the file membership
 * names (in the form of /proc/self/cgroup) up to the root of their hierarchies: version 2 at mount,
 * version 1 at mount/cpu. 0: no limit. */
unsigned twini_quota_cpus(const char *membership, const char *mount);

#endif
