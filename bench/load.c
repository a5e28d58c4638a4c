/* load.c: notices other load: busy time of all CPUs (/proc/stat) less what our own processes used.
 *
 * /proc/stat counts in ticks of 10 ms, each charged to whoever ran when it fell, so a short sample
 * is off by a few of them without any other load. A sample counts as disturbed when foreign time
 * exceeds both SLACK_NS (a few ticks) and a tenth of the wall time; for stolen time a twentieth.
 * Interrupt time is left out: most of it is our own doing. Source: proc(5). */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define SLACK_NS     40000000.0
#define FOREIGN_MOST 0.10
#define STEAL_MOST   0.05

void load_read(struct load *load)
{
    uint64_t user, nice, sys, idle, iowait, irq, softirq, steal;
    memset(load, 0, sizeof *load);
    load->at_ns = now_ns();
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return;
    if (fscanf(file,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &user, &nice, &sys, &idle, &iowait, &irq, &softirq, &steal) == 8) {
        const uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
        load->busy_ns = (user + nice + sys) * tick_ns;
        load->steal_ns = steal * tick_ns;
    }
    fclose(file);
}

struct disturbance load_judge(const struct load *before, const struct load *after, uint64_t own_ns)
{
    const double wall_ns = (double)(after->at_ns - before->at_ns);
    double foreign_ns = (double)(after->busy_ns - before->busy_ns) - (double)own_ns;
    const double steal_ns = (double)(after->steal_ns - before->steal_ns);
    if (foreign_ns < 0)
        foreign_ns = 0;
    if (wall_ns <= 0)
        return (struct disturbance){0};
    return (struct disturbance){
        .foreign_share = foreign_ns / wall_ns,
        .steal_share = steal_ns / wall_ns,
        .disturbed = (foreign_ns > SLACK_NS && foreign_ns > FOREIGN_MOST * wall_ns) ||
                     (steal_ns > SLACK_NS && steal_ns > STEAL_MOST * wall_ns),
    };
}
