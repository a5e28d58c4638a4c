/* main.c: twin_report, the command. All of the work is report_make(). */
#include "report.h"

#include <stdio.h>
#include <string.h>

#ifndef TWIN_REPORT_SOURCE
#define TWIN_REPORT_SOURCE "."
#endif

static const char usage[] = "usage: twin_report DIR [--source REPOSITORY]";

static const char help[] =
    "\n\n"
    "Reads DIR/samples.csv (and environment.txt and timeline.csv, if there) and writes\n"
    "DIR/summary.csv, DIR/REPORT.md and DIR/plots/. The same samples give the same bytes.\n"
    "REPOSITORY is where the prose and the shown sources are taken from.\n"
    "Exit status: 0 done; 1 a file could not be written; 2 the arguments or samples are wrong.";

static int refuse(const char *what, const char *argument)
{
    fprintf(stderr, "twin_report: %s '%s'; %s\n", what, argument, usage);
    return 2;
}

int main(int count, char **argument)
{
    const char *dir = NULL, *source = TWIN_REPORT_SOURCE;
    struct text error = {0}, notes = {0};

    for (int i = 1; i < count; i++) {
        if (strcmp(argument[i], "--help") == 0) {
            printf("%s%s\n", usage, help);
            return fflush(stdout) == 0 ? 0 : 1;
        }
        if (strcmp(argument[i], "--source") == 0 && i + 1 < count)
            source = argument[++i];
        else if (argument[i][0] == '-')
            return refuse("unknown or incomplete option", argument[i]);
        else if (dir)
            return refuse("more than one directory:", argument[i]);
        else
            dir = argument[i];
    }
    if (!dir || !dir[0])
        return refuse("no directory given", "");
    int status = report_make(dir, source, &error, &notes);
    if (status != 0)
        fprintf(stderr, "twin_report: %s\n", text_string(&error));
    else if (notes.length > 0)
        fprintf(stderr, "twin_report: %s\n", notes.bytes);
    text_free(&error);
    text_free(&notes);
    return status;
}
