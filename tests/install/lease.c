/* lease.c: takes a connection from an installed connection pool, uses it and gives it back. */
#include <stdio.h>
#include <twinpool/connpool.h>
#include <twinpool/connpool_sim.h>

int main(void)
{
    struct twin_sim *sim;
    struct twin_connpool *pool;
    struct twin_lease lease;
    int64_t value;
    if (twin_sim_open(&sim, &(struct twin_sim_options){.connections = 2}) != 0)
        return 1;
    if (twin_connpool_open(&pool, &(struct twin_connpool_options){.driver = &twin_sim_driver,
                                                                  .driver_context = sim,
                                                                  .connections = 2}) != 0)
        return 2;
    if (twin_connpool_acquire(pool, &lease, -1) != 0)
        return 3;
    if (twin_connpool_exec(pool, &lease, "select 1", &value) != 0)
        return 4;
    if (twin_connpool_release(pool, &lease) != 0 || twin_connpool_close(pool) != 0)
        return 5;
    twin_sim_close(sim);
    puts("leased");
    return 0;
}
