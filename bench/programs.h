/* programs.h: where the programs are that the launcher starts. Each result is the caller's to free.
 */
#ifndef TWIN_BENCH_PROGRAMS_H
#define TWIN_BENCH_PROGRAMS_H

/* Returns the path of a program of this build, or the name itself if it is not there. */
char *program_find(const char *name);

/* Returns the path of python3, NULL if there is none. */
char *program_python(void);

#endif
