// SPDX-License-Identifier: MIT
/*
 * main() of a target without libFuzzer: gives it every file of its corpus, so that what fuzzing
 * found stays found in the ordinary tests; or only the files named as arguments. Prints how many
 * there were, and when the target aborts, which one did it. No file at all is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static char current[4096];

static void name_current(int sig)
{
    static const char words[] = "replay: that was ";
    if (write(STDERR_FILENO, words, sizeof(words) - 1) > 0 &&
        write(STDERR_FILENO, current, strlen(current)) > 0 && write(STDERR_FILENO, "\n", 1) > 0)
        signal(sig, SIG_DFL);
    signal(sig, SIG_DFL);
    raise(sig);
}

/* A sanitizer that has its own handler keeps it; it ends in an abort. */
static void watch(int sig)
{
    struct sigaction now;
    if (sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(sig, name_current);
}

static void replay(const char *path)
{
    struct stat st;
    snprintf(current, sizeof(current), "%s", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    size_t n = (size_t)st.st_size;
    CLEANUP_FREE char *data = malloc(n ? n : 1);
    CHECK(data && read(fd, data, n) == (ssize_t)n);
    close(fd);
    LLVMFuzzerTestOneInput((const uint8_t *)data, n);
}

static int is_file(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int replay_all(const char *dir)
{
    struct dirent **entries;
    char path[4096];
    int n = scandir(dir, &entries, is_file, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
        replay(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return n;
}

int main(int argc, char **argv)
{
    watch(SIGABRT);
    watch(SIGSEGV);
    watch(SIGBUS);
    watch(SIGFPE);
    int n = argc - 1;
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc == 1)
        n = replay_all(CORPUS);
    printf("fuzz: %s: %d inputs replayed\n", TARGET, n);
    return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
