// A disk that takes its time: loaded before the C library (LD_PRELOAD), it makes each sync and each
// positioned write wait as long as the file that SLOW_DISK names says: two 32-bit numbers,
// microseconds for a sync and for a write. The file is mapped, so the run turns the delay on and off
// while the processes live. Without SLOW_DISK nothing changes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static volatile const uint32_t* delays_us;

__attribute__((constructor)) static void map_delays(void) {
  const char* path = getenv("SLOW_DISK");
  const int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void* mapped = mmap(NULL, 2 * sizeof(uint32_t), PROT_READ, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) delays_us = mapped;
  close(file);
}

static void wait_for(int what) {
  const uint32_t us = delays_us != NULL ? delays_us[what] : 0;
  if (us == 0) return;
  const int before = errno;
  struct timespec rest = {us / 1000000, (long)(us % 1000000) * 1000};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
  errno = before;
}

int fsync(int file) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_for(0);
  return next(file);
}

int fdatasync(int file) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_for(0);
  return next(file);
}

typedef ssize_t (*PositionedWrite)(int, const void*, size_t, off64_t);

ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  static PositionedWrite next;
  if (next == NULL) next = (PositionedWrite)dlsym(RTLD_NEXT, "pwrite64");
  wait_for(1);
  return next(file, bytes, size, at);
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t at) {
  static PositionedWrite next;
  if (next == NULL) next = (PositionedWrite)dlsym(RTLD_NEXT, "pwrite64");
  wait_for(1);
  return next(file, bytes, size, at);
}
