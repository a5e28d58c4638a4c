/* programs.c: finds what is started: this build's programs beside the launcher or in a sibling
 * directory of the build tree, python3 along PATH. What is not found is named as it is, so that the
 * sample's row says that it could not be started. */
#include "programs.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* Where a program of this build is: beside this one, or in a sibling directory of the build tree.
 */
char *program_find(const char *name)
{
    static const char *const places[] = {".", "peers", "../connpool", "../bench", "../report"};
    char self[PATH_BYTES], path[PATH_BYTES + 64];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return strdup(name);
    self[length] = '\0';
    const char *directory = dirname(self);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", directory, places[i], name);
        if (access(path, X_OK) == 0)
            return strdup(path);
    }
    return strdup(name);
}

char *program_python(void)
{
    char path[PATH_BYTES];
    const char *list = getenv("PATH");
    while (list != NULL && *list != '\0') {
        const int length = (int)strcspn(list, ":");
        snprintf(path, sizeof path, "%.*s/python3", length, list);
        if (length > 0 && access(path, X_OK) == 0)
            return strdup(path);
        list += length + (list[length] == ':');
    }
    return NULL;
}
