/* engine_cpus.c: how many CPUs may be used: environment first, then affinity; a quota only lowers. */
#include "engine/cpus.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <twinpool/pool.h>

static void clear(void)
{
    unsetenv("TWINPOOL_CPUS");
}

TestSuite(engine_cpus, .init = clear);

Test(engine_cpus, are_at_least_one_and_at_most_the_affinity_mask)
{
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    unsigned cpus = twin_usable_cpus();
    cr_assert_geq(cpus, 1);
    cr_assert_leq(cpus, (unsigned)CPU_COUNT(&set));
}

Test(engine_cpus, follow_the_affinity_mask)
{
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_assert_eq(twin_usable_cpus(), 1);
}

Test(engine_cpus, follow_the_environment)
{
    setenv("TWINPOOL_CPUS", "1", 1);
    cr_assert_eq(twin_usable_cpus(), 1);
    setenv("TWINPOOL_CPUS", "4096", 1);
    cr_assert_eq(twin_usable_cpus(), 4096);
}

Test(engine_cpus, ignore_an_environment_that_is_no_number)
{
    unsigned real = twin_usable_cpus();
    static const char *const wrong[] = {"",   "0",   "-1",  "4097",
                                        "8x", "1e3", "two", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        setenv("TWINPOOL_CPUS", wrong[i], 1);
        cr_assert_eq(twin_usable_cpus(), real, "TWINPOOL_CPUS=%s gives %u", wrong[i],
                     twin_usable_cpus());
    }
}

/* ---- cgroups, made of plain files --------------------------------------------------------------- */

static char tree[] = "/tmp/twin-cgroup-XXXXXX";

/* Writes text to the file of this name in the tree, and makes the folders before it. */
static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", tree, name);
    for (char *slash = path + sizeof tree; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

static unsigned quota_of(const char *membership)
{
    char file[256];
    put("membership", membership);
    snprintf(file, sizeof file, "%s/membership", tree);
    return twini_quota_cpus(file, tree);
}

static void make_tree(void)
{
    cr_assert_not_null(mkdtemp(tree));
}

static void remove_tree(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf -- %s", tree);
    cr_assert_eq(system(command), 0);
}

Test(engine_cpus, follow_the_tightest_quota_of_version_2, .init = make_tree, .fini = remove_tree)
{
    put("a/b/cpu.max", "250000 100000\n");
    cr_expect_eq(quota_of("0::/a/b\n"), 3); /* two and a half */
    cr_expect_eq(quota_of("0::/a/b/c\n"), 3);
    cr_expect_eq(quota_of("0::/a\n"), 0);
    cr_expect_eq(quota_of("0::/\n"), 0);
    put("a/cpu.max", "max 100000\n");
    cr_expect_eq(quota_of("0::/a/b\n"), 3);
    put("a/cpu.max", "50000 100000\n");
    cr_expect_eq(quota_of("0::/a/b\n"), 1);
    put("cpu.max", "200000 100000\n"); /* the root of a namespace has one */
    cr_expect_eq(quota_of("0::/\n"), 2);
}

Test(engine_cpus, follow_the_quota_of_version_1, .init = make_tree, .fini = remove_tree)
{
    put("cpu/a/cpu.cfs_quota_us", "150000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    put("cpu/b/cpu.cfs_quota_us", "-1\n");
    put("cpu/b/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(quota_of("4:cpu,cpuacct:/a\n"), 2);
    cr_expect_eq(quota_of("7:memory:/a\n4:cpuset,cpu:/a\n0::/\n"), 2);
    cr_expect_eq(quota_of("4:cpu,cpuacct:/b\n"), 0);
    cr_expect_eq(quota_of("4:cpuset:/a\n3:cpuacct:/a\n"), 0);
    cr_expect_eq(quota_of("nonsense\n"), 0);
    cr_expect_eq(twini_quota_cpus("/nonexistent", tree), 0);
}
