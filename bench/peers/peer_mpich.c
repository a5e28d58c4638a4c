/* peer_mpich.c: MPICH, message passing between processes on one machine: a round trip by send and
 * receive, a map by scatter and gather, in which rank 0 computes its share like the others.
 *
 * Not a pool: there is no queue, nobody steals, and a rank that dies takes all with it. It is here
 * because its messages through shared memory are as fast as processes get without one.
 * The program starts itself again under mpiexec when it was not started by it. Rank 0 is the peer;
 * the others do what it tells them until it says end. A round trip is between ranks 0 and 1.
 * Source: MPI 4.0, chapters 3 (point to point) and 6 (collective). */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

enum order { END, MAP, APPLY };
enum { MOST_RANKS = 1024, TAG = 1 };

struct told {
    uint64_t order, count;
};

static struct {
    int rank, ranks;
    int counts[MOST_RANKS], places[MOST_RANKS];
    int32_t *items; /* this rank's share of a map, but for rank 0, which has them all */
    int64_t *results;
} own;

static void tell(struct told *told)
{
    MPI_Bcast(told, (int)sizeof *told, MPI_BYTE, 0, MPI_COMM_WORLD);
}

static void share_out(uint64_t count)
{
    for (int rank = 0; rank < own.ranks; rank++) {
        const uint64_t ranks = (uint64_t)own.ranks, from = count * (uint64_t)rank / ranks;
        own.places[rank] = (int)from;
        own.counts[rank] = (int)(count * ((uint64_t)rank + 1) / ranks - from);
    }
}

/* ---- rank 0 --------------------------------------------------------------------------------- */

static int open_ranks(const struct peer_run *run)
{
    return run->count <= INT32_MAX && own.ranks > 1 ? 0 : -1;
}

static int map(const struct peer_run *run)
{
    struct told told = {MAP, run->count};
    tell(&told);
    share_out(run->count);
    MPI_Scatterv(run->items, own.counts, own.places, MPI_INT32_T, MPI_IN_PLACE, 0, MPI_INT32_T, 0,
                 MPI_COMM_WORLD);
    (void)square_kernel(run->results, run->items, (size_t)own.counts[0], NULL);
    MPI_Gatherv(MPI_IN_PLACE, 0, MPI_INT64_T, run->results, own.counts, own.places, MPI_INT64_T, 0,
                MPI_COMM_WORLD);
    return 0;
}

static int apply(const struct peer_run *run)
{
    struct told told = {APPLY, run->count};
    tell(&told);
    for (size_t i = 0; i < run->count; i++) {
        MPI_Send(run->items + i, 1, MPI_INT32_T, 1, TAG, MPI_COMM_WORLD);
        MPI_Recv(run->results + i, 1, MPI_INT64_T, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    return 0;
}

static void close_ranks(void)
{
}

/* ---- the others ----------------------------------------------------------------------------- */

/* The share's arrays stay from one map to the next: no first touch in a warm pass. */
static bool share_fits(void)
{
    static int room;
    const int count = own.counts[own.rank];
    if (count <= room)
        return true;
    free(own.items);
    free(own.results);
    own.items = malloc((size_t)count * sizeof *own.items);
    own.results = malloc((size_t)count * sizeof *own.results);
    room = count;
    return own.items != NULL && own.results != NULL;
}

static void serve_map(uint64_t count)
{
    share_out(count);
    const int share = own.counts[own.rank];
    if (!share_fits())
        MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Scatterv(NULL, NULL, NULL, MPI_INT32_T, own.items, share, MPI_INT32_T, 0, MPI_COMM_WORLD);
    (void)square_kernel(own.results, own.items, (size_t)share, NULL);
    MPI_Gatherv(own.results, share, MPI_INT64_T, NULL, NULL, NULL, MPI_INT64_T, 0, MPI_COMM_WORLD);
}

static void serve_apply(uint64_t count)
{
    int32_t item;
    for (uint64_t i = 0; i < count && own.rank == 1; i++) {
        MPI_Recv(&item, 1, MPI_INT32_T, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        const int64_t result = square(item);
        MPI_Send(&result, 1, MPI_INT64_T, 0, TAG, MPI_COMM_WORLD);
    }
}

static void serve(void)
{
    for (;;) {
        struct told told;
        tell(&told);
        if (told.order == END)
            break;
        if (told.order == MAP)
            serve_map(told.count);
        else
            serve_apply(told.count);
    }
    free(own.items);
    free(own.results);
}

/* ---- start ---------------------------------------------------------------------------------- */

/* As many ranks as workers, and two at least: a round trip needs them. */
static int start_again(int argc, char **argv)
{
    static const char option[] = "--workers=";
    const char *workers = "2";
    char **again = calloc((size_t)argc + 4, sizeof *again);
    if (again == NULL)
        return 1;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], option, sizeof option - 1) == 0 &&
            atoi(argv[i] + sizeof option - 1) > 2)
            workers = argv[i] + sizeof option - 1;
        again[i + 3] = argv[i];
    }
    again[0] = TWIN_MPIEXEC;
    again[1] = "-n";
    again[2] = (char *)workers;
    again[3] = "/proc/self/exe";
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        again[3] = self;
        execv(TWIN_MPIEXEC, again);
    }
    perror("peer_mpich: " TWIN_MPIEXEC);
    return 1;
}

int main(int argc, char **argv)
{
    static const struct peer_way ways[] = {
        {"map", open_ranks, map, close_ranks}, {"apply", open_ranks, apply, close_ranks}, {0}};
    static const struct peer peer = {
        .program = "peer_mpich", .version = MPICH_VERSION, .ways = ways, .apart = true};
    if (getenv("PMI_RANK") == NULL)
        return start_again(argc, argv);
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS)
        return 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &own.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &own.ranks);
    int status = 0;
    if (own.ranks > MOST_RANKS)
        MPI_Abort(MPI_COMM_WORLD, 2);
    if (own.rank == 0) {
        struct told end = {END, 0};
        status = peer_main(argc, argv, &peer);
        tell(&end);
    } else {
        serve();
    }
    MPI_Finalize();
    return status;
}
