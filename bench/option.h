/* option.h: what the measured programs' command lines have in common. */
#ifndef TWIN_BENCH_OPTION_H
#define TWIN_BENCH_OPTION_H

#include <argp.h>
#include <stdint.h>

/* Returns the number that text is; anything but a whole number from least to most ends the program
 * with a usage error that says what is accepted. */
uint64_t option_number(struct argp_state *state, const char *option, const char *text,
                       uint64_t least, uint64_t most);

/* Returns the place of text in names, a list that ends with NULL; a usage error if it is not there.
 */
unsigned option_choice(struct argp_state *state, const char *option, const char *text,
                       const char *const names[]);

/* Ends the program with a usage error: these programs take options only. */
void option_no_argument(struct argp_state *state, const char *text);

#endif
