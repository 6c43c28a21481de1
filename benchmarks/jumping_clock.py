"""A wall clock that jumps, for programs that are started with it preloaded (Linux)."""

import shutil
import subprocess
from pathlib import Path

HOW = """\
The wall clock jumps in the driver and its workers alone, by a library that is preloaded
  (LD_PRELOAD): `clock_gettime(CLOCK_REALTIME)`, `gettimeofday` and `time` give the true
  time and an offset of up to five years to either side, drawn anew every tenth of a
  second. The monotonic clock is left as it is, as by a person who sets the clock."""

_SOURCE = r"""
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    unsigned long tenth = now.tv_sec * 10 + now.tv_nsec / 100000000;
    unsigned long mixed = tenth * 0x9E3779B97F4A7C15UL;
    return (long)(mixed >> 33) % 315360000L - 157680000L;
}

int clock_gettime(clockid_t which, struct timespec *found) {
    int code = syscall(SYS_clock_gettime, which, found);
    if (code == 0 && which == CLOCK_REALTIME) found->tv_sec += offset();
    return code;
}

int gettimeofday(struct timeval *found, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
"""


def build(folder: Path) -> Path | None:
    """Compiles the library into a folder; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "jumping.c", folder / "jumping.so"
    source.write_text(_SOURCE)
    words = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(words, check=True, capture_output=True)
    return library
