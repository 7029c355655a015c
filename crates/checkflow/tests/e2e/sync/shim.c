/* Stands between the server and the disk, where the server's log (the write-ahead log of its database)
 * is brought to it: notes that it is asked for, and holds it up or has it fail for as long as a test
 * wants. Loaded by LD_PRELOAD, and told by its variables which files that goes by. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char LOG_NAME[] = "/checkflow.db-wal";

/* Adds a line to the notes, in one write, so that lines of threads do not mix. */
static void note(const char *line) {
    int notes = open(getenv("SHIM_NOTES"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (notes < 0 || dprintf(notes, "%s\n", line) < 0)
        abort(); /* The test would wait for it in vain. */
    close(notes);
}

static int is_there(const char *variable) {
    return access(getenv(variable), F_OK) == 0;
}

static int is_log(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path);
    ssize_t end = sizeof LOG_NAME - 1;
    return length >= end && memcmp(path + length - end, LOG_NAME, end) == 0;
}

__attribute__((constructor)) static void loaded(void) {
    note("loaded");
}

static int sync_by(long call, int file) {
    if (is_log(file)) {
        char thread[16] = "";
        prctl(PR_GET_NAME, thread);
        note(thread);
        while (is_there("SHIM_HOLD"))
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        if (is_there("SHIM_FAIL")) {
            errno = EIO;
            return -1;
        }
    }
    return syscall(call, file);
}

int fdatasync(int file) {
    return sync_by(SYS_fdatasync, file);
}

int fsync(int file) {
    return sync_by(SYS_fsync, file);
}
