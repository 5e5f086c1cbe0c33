/*
 * Fails system calls of this process that concern the files of one folder. Linux, x86-64.
 *
 * A seccomp filter turns the calls below into SIGSYS, unless they come from the stub in this file.
 * The handler makes the call itself through the stub, or fails it, and counts. So every way to the
 * kernel is seen: the JDK's native code and the calls of Gatun through FFM. The filter cannot be taken
 * off again and would kill child processes, so this belongs in a JVM of its own.
 *
 * Only async-signal-safe code: no C library call in the handler.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "x86-64 only"
#endif

#define EXPORT __attribute__((visibility("default")))

/* Kinds of calls. The order is that of `names`. */
enum {
  OPEN, STAT, READ, MMAP, LISTING, FSYNC, MSYNC, WRITE, FALLOCATE, RENAME, UNLINK, MKDIR, TRUNCATE,
  LOCK, CLOSE, LINK, CHMOD, UTIMES, READLINK, ACCESS, STATFS, COPY, ADVISE, KINDS, ANY = KINDS,
  NONE = -1
};

static const char *const names[] = {
  "open", "stat", "read", "mmap", "getdents", "fsync", "msync", "write", "fallocate", "rename",
  "unlink", "mkdir", "truncate", "lock", "close", "link", "chmod", "utimes", "readlink", "access",
  "statfs", "copy", "advise", "any"
};

/* Where a call says which file it is about. */
enum { PATH, AT, TWO_PATHS, TWO_AT, FD, NO_FILE };

static const struct call {
  int number, kind, subject, at;
} calls[] = {
  {SYS_open, OPEN, PATH, 0}, {SYS_openat, OPEN, AT, 0}, {SYS_openat2, OPEN, AT, 0},
  {SYS_creat, OPEN, PATH, 0},
  {SYS_stat, STAT, PATH, 0}, {SYS_lstat, STAT, PATH, 0}, {SYS_fstat, STAT, FD, 0},
  {SYS_newfstatat, STAT, AT, 0}, {SYS_statx, STAT, AT, 0},
  {SYS_read, READ, FD, 0}, {SYS_pread64, READ, FD, 0}, {SYS_readv, READ, FD, 0},
  {SYS_preadv, READ, FD, 0}, {SYS_preadv2, READ, FD, 0},
  {SYS_mmap, MMAP, FD, 4},
  {SYS_getdents64, LISTING, FD, 0},
  {SYS_fsync, FSYNC, FD, 0}, {SYS_fdatasync, FSYNC, FD, 0}, {SYS_sync_file_range, FSYNC, FD, 0},
  {SYS_syncfs, FSYNC, FD, 0},
  {SYS_msync, MSYNC, NO_FILE, 0},
  {SYS_write, WRITE, FD, 0}, {SYS_pwrite64, WRITE, FD, 0}, {SYS_writev, WRITE, FD, 0},
  {SYS_pwritev, WRITE, FD, 0}, {SYS_pwritev2, WRITE, FD, 0},
  {SYS_fallocate, FALLOCATE, FD, 0},
  {SYS_rename, RENAME, TWO_PATHS, 0}, {SYS_renameat, RENAME, TWO_AT, 0},
  {SYS_renameat2, RENAME, TWO_AT, 0},
  {SYS_unlink, UNLINK, PATH, 0}, {SYS_unlinkat, UNLINK, AT, 0}, {SYS_rmdir, UNLINK, PATH, 0},
  {SYS_mkdir, MKDIR, PATH, 0}, {SYS_mkdirat, MKDIR, AT, 0},
  {SYS_ftruncate, TRUNCATE, FD, 0}, {SYS_truncate, TRUNCATE, PATH, 0},
  {SYS_fcntl, LOCK, FD, 0}, {SYS_flock, LOCK, FD, 0},
  {SYS_close, CLOSE, FD, 0},
  {SYS_link, LINK, TWO_PATHS, 0}, {SYS_linkat, LINK, TWO_AT, 0},
  {SYS_chmod, CHMOD, PATH, 0}, {SYS_fchmod, CHMOD, FD, 0}, {SYS_fchmodat, CHMOD, AT, 0},
  {SYS_utimensat, UTIMES, AT, 0},
  {SYS_readlink, READLINK, PATH, 0}, {SYS_readlinkat, READLINK, AT, 0},
  {SYS_access, ACCESS, PATH, 0}, {SYS_faccessat, ACCESS, AT, 0}, {SYS_faccessat2, ACCESS, AT, 0},
  {SYS_statfs, STATFS, PATH, 0}, {SYS_fstatfs, STATFS, FD, 0},
  {SYS_copy_file_range, COPY, FD, 2}, {SYS_sendfile, COPY, FD, 0}, {SYS_ioctl, COPY, FD, 0},
  {SYS_fadvise64, ADVISE, FD, 0},
};

#define CALLS ((int)(sizeof calls / sizeof *calls))

/* The one place in the process from which the filter lets these calls through. */
long stub(long number, long a, long b, long c, long d, long e, long f);
__asm__(
  ".text\n"
  ".p2align 4\n"
  ".globl stub\n"
  ".hidden stub\n"
  ".type stub, @function\n"
  "stub:\n"
  "  movq %rdi, %rax\n"
  "  movq %rsi, %rdi\n"
  "  movq %rdx, %rsi\n"
  "  movq %rcx, %rdx\n"
  "  movq %r8, %r10\n"
  "  movq %r9, %r8\n"
  "  movq 8(%rsp), %r9\n"
  "  syscall\n"
  ".globl stub_after\n"
  ".hidden stub_after\n"
  "stub_after:\n"
  "  ret\n"
  ".size stub, .-stub\n");
extern const char stub_after[] __attribute__((visibility("hidden")));

/* Forms of a failure. */
enum { BEFORE, AFTER, FROM };

#define PATH_BYTES 1024

static char folder[PATH_BYTES];
static size_t folder_bytes;
static volatile int armed = NONE;
static long which;
static int with_error;
static int form;
static long counts[KINDS + 1];
static long injected;
static char last[PATH_BYTES + 64];
static int watching;

static int in_folder(const char *path) {
  return folder_bytes > 0 && strncmp(path, folder, folder_bytes) == 0;
}

/* Path of a descriptor; 0 if it has none. */
static int path_of(long fd, char *path) {
  char name[32] = "/proc/self/fd/";
  char digits[12];
  int count = 0;
  size_t at = 14;
  if (fd < 0) {
    return 0;
  }
  for (long rest = fd; rest > 0 || count == 0; rest /= 10) {
    digits[count++] = (char)('0' + rest % 10);
  }
  while (count > 0) {
    name[at++] = digits[--count];
  }
  name[at] = 0;
  long bytes = stub(SYS_readlink, (long)name, (long)path, PATH_BYTES - 1, 0, 0, 0);
  if (bytes <= 0) {
    return 0;
  }
  path[bytes] = 0;
  return 1;
}

/* Whether a name, seen from a folder's descriptor, lies in the watched folder. */
static int named(long from, const char *name, char *path) {
  size_t bytes = 0;
  if (name != NULL && name[0] == '/') {
    strncpy(path, name, PATH_BYTES - 1);
    path[PATH_BYTES - 1] = 0;
    return in_folder(path);
  }
  if ((int)from == AT_FDCWD || !path_of((int)from, path)) {
    return 0;
  }
  if (name != NULL && name[0] != 0) {
    bytes = strlen(path);
    path[bytes++] = '/';
    strncpy(path + bytes, name, PATH_BYTES - 1 - bytes);
    path[PATH_BYTES - 1] = 0;
  }
  return in_folder(path);
}

static int ours(const struct call *call, const long *a, char *path) {
  path[0] = 0;
  switch (call->subject) {
    case PATH:
      return named(AT_FDCWD, (const char *)a[0], path);
    case AT:
      return named(a[0], (const char *)a[1], path);
    case TWO_PATHS:
      return named(AT_FDCWD, (const char *)a[0], path)
          || named(AT_FDCWD, (const char *)a[1], path);
    case TWO_AT:
      return named(a[0], (const char *)a[1], path) || named(a[2], (const char *)a[3], path);
    case FD:
      return path_of((int)a[call->at], path) && in_folder(path);
    default:
      /* Nobody else in the process syncs maps. */
      return 1;
  }
}

/*
 * Whether this call is one to count: of fcntl only taking a lock, of ioctl only cloning. No local
 * file system refuses to give a lock back.
 */
static int counts_as_call(const struct call *call, const long *a) {
  if (call->number == SYS_fcntl) {
    return (a[1] == F_SETLK || a[1] == F_SETLKW || a[1] == F_OFD_SETLK || a[1] == F_OFD_SETLKW)
        && ((const struct flock *)a[2])->l_type != F_UNLCK;
  }
  return call->number != SYS_ioctl || (unsigned long)a[1] == FICLONE
      || (unsigned long)a[1] == FICLONERANGE;
}

/* Takes back what a call gave to a caller that is told it failed, so that nothing leaks by us. */
static void take_back(const struct call *call, const long *a, long result) {
  if (call->kind == OPEN) {
    stub(SYS_close, result, 0, 0, 0, 0, 0);
  } else if (call->kind == MMAP) {
    stub(SYS_munmap, result, a[1], 0, 0, 0, 0);
  } else if (call->number == SYS_fcntl) {
    struct flock undo = *(const struct flock *)a[2];
    long command = a[1] == F_OFD_SETLK || a[1] == F_OFD_SETLKW ? F_OFD_SETLK : F_SETLK;
    undo.l_type = F_UNLCK;
    undo.l_pid = 0;
    stub(SYS_fcntl, a[0], command, (long)&undo, 0, 0, 0);
  }
}

static void note(const struct call *call, const char *path) {
  size_t at = 0;
  for (const char *name = names[call->kind]; *name; name++) {
    last[at++] = *name;
  }
  last[at++] = ' ';
  for (; *path && at < sizeof last - 1; path++) {
    last[at++] = *path;
  }
  last[at] = 0;
}

static long run(const struct call *call, const long *a) {
  return stub(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long handle(long number, const long *a) {
  const struct call *call = NULL;
  char path[PATH_BYTES];
  for (int i = 0; i < CALLS; i++) {
    if (calls[i].number == number) {
      call = &calls[i];
      break;
    }
  }
  if (call == NULL) {
    return stub(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  if (!watching || !counts_as_call(call, a) || !ours(call, a, path)) {
    return run(call, a);
  }
  long of_kind = __atomic_add_fetch(&counts[call->kind], 1, __ATOMIC_SEQ_CST);
  /* Where everything fails, closing does not: after an error of close the JDK itself leaks. */
  int any = call->kind != CLOSE;
  long of_all = __atomic_add_fetch(&counts[ANY], any, __ATOMIC_SEQ_CST);
  if (armed != call->kind && (armed != ANY || !any)) {
    return run(call, a);
  }
  long now = armed == ANY ? of_all : of_kind;
  if (now < which || (now > which && form != FROM)) {
    return run(call, a);
  }
  __atomic_add_fetch(&injected, 1, __ATOMIC_SEQ_CST);
  if (now == which) {
    note(call, path);
  }
  /* Linux gives a descriptor back whatever close returns. */
  if (form == AFTER || call->kind == CLOSE) {
    long result = run(call, a);
    if (result < 0) {
      return result;
    }
    take_back(call, a, result);
  }
  return -with_error;
}

static void on_sigsys(int signal, siginfo_t *info, void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  long a[] = {
    registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
    registers[REG_R10], registers[REG_R8], registers[REG_R9]
  };
  (void)signal;
  registers[REG_RAX] = handle(info->si_syscall, a);
}

/* Puts the filter over all threads, for good. Returns 0 or an error number. */
EXPORT int faults_install(void) {
  static struct sock_filter program[CALLS * 2 + 16];
  struct sigaction action;
  uint64_t ip = (uint64_t)(uintptr_t)stub_after;
  int at = 0;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_sigsys;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (sigaction(SIGSYS, &action, NULL) != 0) {
    return errno;
  }
#define LOAD(field) \
  (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_AT(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define IF(value, yes, no) \
  (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, value)
  program[at++] = LOAD(arch);
  program[at++] = IF(AUDIT_ARCH_X86_64, 1, 0);
  program[at++] = RETURN(SECCOMP_RET_ALLOW);
  program[at++] = LOAD_AT(offsetof(struct seccomp_data, instruction_pointer));
  program[at++] = IF((uint32_t)ip, 0, 3);
  program[at++] = LOAD_AT(offsetof(struct seccomp_data, instruction_pointer) + 4);
  program[at++] = IF((uint32_t)(ip >> 32), 0, 1);
  program[at++] = RETURN(SECCOMP_RET_ALLOW);
  program[at++] = LOAD(nr);
  /* Memory without a file is none of our business, and the JVM's most frequent mmap. */
  program[at++] = IF(SYS_mmap, 0, 4);
  program[at++] = LOAD_AT(offsetof(struct seccomp_data, args) + 4 * 8);
  program[at++] = IF(UINT32_MAX, 0, 1);
  program[at++] = RETURN(SECCOMP_RET_ALLOW);
  program[at++] = RETURN(SECCOMP_RET_TRAP);
  for (int i = 0; i < CALLS; i++) {
    program[at++] = IF((uint32_t)calls[i].number, 0, 1);
    program[at++] = RETURN(SECCOMP_RET_TRAP);
  }
  program[at++] = RETURN(SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {.len = (unsigned short)at, .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return errno;
  }
  long result =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  return result == 0 ? 0 : result > 0 ? ESRCH : errno;
}

/* The folder whose files count, by the beginning of their paths. */
EXPORT void faults_watch(const char *prefix) {
  strncpy(folder, prefix, sizeof folder - 1);
  folder_bytes = strlen(folder);
}

/* Counts from zero, and fails the k-th call of a kind; kind -1 only counts. */
EXPORT void faults_arm(int kind, long k, int error, int how) {
  memset(counts, 0, sizeof counts);
  injected = 0;
  last[0] = 0;
  which = k;
  with_error = error;
  form = how;
  armed = kind;
  __atomic_store_n(&watching, 1, __ATOMIC_SEQ_CST);
}

EXPORT void faults_disarm(void) {
  __atomic_store_n(&watching, 0, __ATOMIC_SEQ_CST);
  armed = NONE;
}

EXPORT long faults_count(int kind) {
  return __atomic_load_n(&counts[kind], __ATOMIC_SEQ_CST);
}

EXPORT long faults_injected(void) {
  return __atomic_load_n(&injected, __ATOMIC_SEQ_CST);
}

/* What was failed first, and where. */
EXPORT const char *faults_last(void) {
  return last;
}

EXPORT int faults_kinds(void) {
  return KINDS;
}

EXPORT const char *faults_name(int kind) {
  return names[kind];
}
