/* engine_cpus.c: how many CPUs may be used: environment first, then affinity; a quota only lowers.
 */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
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
