// peer_tbb.cpp: oneTBB's parallel_for and task_group, in an arena of as many threads as workers.
//
// As under OpenMP the caller is one of them, and a task_group's wait() runs what nobody has taken
// yet: a round trip is mostly no hand-off at all. Each pass enters the arena once. Nothing bounds
// what is in flight. Source: oneAPI specification, oneTBB, task_arena and task_group.
#include <new>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

extern "C" {
#include "peer.h"
}

namespace
{
oneapi::tbb::task_arena *arena;

extern "C" int open_arena(const peer_run *run)
{
    arena = new (std::nothrow) oneapi::tbb::task_arena(static_cast<int>(run->workers));
    return arena != nullptr ? 0 : -1;
}

// The chunks are TBB's own: auto_partitioner, its default.
extern "C" int map(const peer_run *run)
{
    arena->execute([run] {
        oneapi::tbb::parallel_for(oneapi::tbb::blocked_range<std::size_t>(0, run->count),
                                  [run](const oneapi::tbb::blocked_range<std::size_t> &part) {
                                      (void)square_kernel(run->results + part.begin(),
                                                          run->items + part.begin(), part.size(),
                                                          nullptr);
                                  });
    });
    return 0;
}

extern "C" int apply(const peer_run *run)
{
    arena->execute([run] {
        oneapi::tbb::task_group group;
        for (std::size_t i = 0; i < run->count; i++) {
            group.run([run, i] { run->results[i] = square(run->items[i]); });
            group.wait();
        }
    });
    return 0;
}

extern "C" int apply_async(const peer_run *run)
{
    arena->execute([run] {
        oneapi::tbb::task_group group;
        for (std::size_t i = 0; i < run->count; i++)
            group.run([run, i] { run->results[i] = square(run->items[i]); });
        group.wait();
    });
    return 0;
}

extern "C" void close_arena()
{
    delete arena;
}
} // namespace

int main(int argc, char **argv)
{
    static const peer_way ways[] = {{"map", open_arena, map, close_arena},
                                    {"apply", open_arena, apply, close_arena},
                                    {"apply_async", open_arena, apply_async, close_arena},
                                    {nullptr, nullptr, nullptr, nullptr}};
    const peer peer = {"peer_tbb", TBB_VERSION_STRING, ways, false};
    return peer_main(argc, argv, &peer);
}
