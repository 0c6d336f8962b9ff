// Follows the processes of a login by ptrace(2), knows each one's part in it, and has one system
// call of one of them be its last, or fail.
#ifndef NSSHELL_TEST_TRACE_H
#define NSSHELL_TEST_TRACE_H

#include "state.h"

#include <elf.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

// Numbers to names. Made of the system's headers where this is compiled to be run:
//   [SYS_read] = "read",
static const char *const call_names[1024] = {
#if __has_include("calls.h")
#include "calls.h"
#endif
    [1023] = 0};

enum role { PLAIN, FIRST, APPLICATION, CHILD, KEEPER, HELPER, MAKER, INIT, NEWUIDMAP, NEWGIDMAP,
            JANITOR, NSSHELL, SHELL, NSCTL, ROLES };
static const char *const role_names[ROLES] = {
    "plain", "first", "application", "child", "keeper", "session-init", "maker", "init",
    "newuidmap", "newgidmap", "janitor", "nsshell", "shell", "nsctl"};

// What is done at the point; an errno is what the call fails with.
enum { KILL = -1 };

static struct {
  int role, at, action; // whose call, which one, what
  int armed, seen, fired;
  const char *call; // its name, once it has fired
} point;

static struct tracee {
  pid_t pid;
  int role, traced, ended, status;
  int children, inside, result, held;
} all[512];
static int count_all;

// The application says so before and after what is the module's (pamapp --mark).
#define MARK 0x6e737368

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static void broken(const char *what) {
  fprintf(stderr, "points: %s: %s\n", what, strerror(errno));
  exit(2);
}

static int listed(const char *name, const char *const *list) {
  for (; *list; list++)
    if (!strcmp(name, *list)) return 1;
  return 0;
}

// Whether the kernel may ever answer so.
static int may_fail(const char *name, int with) {
  static const char *const never[] = {
      "arch_prctl", "brk", "exit", "exit_group", "getegid", "geteuid", "getgid", "getpgrp",
      "getpid", "getppid", "getresgid", "getresuid", "gettid", "getuid", "restart_syscall", "rseq",
      "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "set_robust_list", "set_tid_address",
      "umask", 0};
  static const char *const paths[] = {
      "access", "chdir", "chmod", "chown", "connect", "execve", "faccessat", "faccessat2",
      "fchmodat", "fchownat", "getxattr", "lgetxattr", "link", "linkat", "lsetxattr", "lstat",
      "mkdir", "mkdirat", "mknod", "mknodat", "mount", "mount_setattr", "move_mount", "newfstatat",
      "open", "open_tree", "openat", "openat2", "pivot_root", "readlink", "readlinkat",
      "setxattr", "stat", "statfs", "statx", "symlink", "symlinkat", "utimensat", 0};
  // for these ENOENT is no failure: the name is gone already
  static const char *const removals[] = {"rename", "renameat", "renameat2", "rmdir", "umount2",
                                         "unlink", "unlinkat", 0};
  static const char *const opens[] = {
      "accept4", "clone3", "dup", "dup2", "dup3", "epoll_create1", "eventfd2", "fcntl", "fsmount",
      "fsopen", "fspick", "memfd_create", "open", "open_tree", "openat", "openat2", "pidfd_open",
      "pipe2", "recvmsg", "signalfd4", "socket", "socketpair", "timerfd_create", 0};
  if (listed(name, never)) return 0;
  switch (with) {
    case ENOENT: return listed(name, paths);
    case EACCES: return listed(name, paths) || listed(name, removals);
    case EMFILE: return listed(name, opens);
    default: return 1;
  }
}

static void set_result(pid_t pid, long value) {
#if defined __x86_64__
  ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), value);
#elif defined __aarch64__
  struct user_regs_struct regs;
  struct iovec io = {&regs, sizeof regs};
  ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io);
  regs.regs[0] = value;
  ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io);
#else
#error "how is a system call's result set here?"
#endif
}

// The kernel finds no such call and does nothing.
static void make_no_call(pid_t pid) {
#if defined __x86_64__
  ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1L);
#else
  int none = -1;
  struct iovec io = {&none, sizeof none};
  ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &io);
#endif
}

static struct tracee *tracee(pid_t pid) {
  for (int i = 0; i < count_all; i++)
    if (all[i].pid == pid && !all[i].ended) return all + i;
  if (count_all == sizeof all / sizeof *all) broken("too many processes");
  all[count_all] = (struct tracee){.pid = pid, .role = -1};
  return all + count_all++;
}

// What a new process is, by who made it, how, and after how many others.
static int role_of_child(struct tracee *parent, int event) {
  static const int of_helper[] = {MAKER, INIT, NEWUIDMAP, NEWGIDMAP, JANITOR};
  int which = parent->children++;
  switch (parent->role) {
    // the keeper sends no signal when it ends, unlike the command
    case FIRST:
    case APPLICATION: return event == PTRACE_EVENT_CLONE ? KEEPER : CHILD;
    case KEEPER: return HELPER;
    case HELPER: return which < 5 ? of_helper[which] : PLAIN;
    case CHILD:
    case NSSHELL:
    case SHELL: return SHELL;
    default: return PLAIN;
  }
}

static int is_target(const struct tracee *t) {
  return point.armed && !point.fired && t->role == point.role;
}

static void resume(struct tracee *t, int signal) {
  int each_call = is_target(t) || t->result;
  ptrace(each_call ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, 0, signal);
}

static void at_call(struct tracee *t) {
  struct __ptrace_syscall_info info = {0};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof info, &info) < 0) return;
  if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->result) {
    set_result(t->pid, -t->result);
    t->result = 0;
  }
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !is_target(t)) return;
  const char *name = info.entry.nr < 1023 ? call_names[info.entry.nr] : 0;
  if (!name) name = "unknown";
  if (!strcmp(name, "prctl") && info.entry.args[0] == MARK) {
    t->inside = info.entry.args[1];
    return;
  }
  if (t->role == APPLICATION && !t->inside) return;
  if (point.action != KILL && !may_fail(name, point.action)) return;
  if (++point.seen != point.at) return;
  point.fired = 1;
  point.call = name;
  if (point.action == KILL) {
    kill(t->pid, SIGKILL);
    return;
  }
  t->result = point.action;
  // one that fails has closed the descriptor all the same (close(2))
  if (strcmp(name, "close")) make_no_call(t->pid);
}

static void at_event(struct tracee *t, int event) {
  unsigned long message = 0;
  switch (event) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE: {
      ptrace(PTRACE_GETEVENTMSG, t->pid, 0, &message);
      int role = role_of_child(t, event);
      struct tracee *child = tracee((pid_t)message);
      child->role = role;
      child->traced = 1;
      // its own first stop may have come before this one
      if (child->held) resume(child, 0);
      child->held = 0;
      break;
    }
    case PTRACE_EVENT_EXEC:
      if (t->role == CHILD) t->role = NSSHELL;
      else if (t->role == NSSHELL) t->role = SHELL;
      break;
  }
}

static void at_stop(struct tracee *t, int status) {
  int signal = WSTOPSIG(status), event = status >> 16;
  if (signal == (SIGTRAP | 0x80)) {
    at_call(t);
    resume(t, 0);
  } else if (event == PTRACE_EVENT_STOP && t->role < 0) {
    t->held = 1;
  } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
    ptrace(PTRACE_LISTEN, t->pid, 0, 0);
  } else if (event) {
    at_event(t, event);
    resume(t, 0);
  } else {
    resume(t, signal);
  }
}

// Deals with everything that has happened; whether anything has.
static int events(void) {
  int any = 0, status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
    any = 1;
    struct tracee *t = tracee(pid);
    if (WIFSTOPPED(status)) {
      at_stop(t, status);
      continue;
    }
    t->ended = 1;
    t->status = status;
  }
  return any;
}

// Until `done` says so; 0 if that takes too long. `quiet`: nothing must have happened for so long.
static int follow(int (*done)(void), int quiet_us, int limit_ms) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const struct timespec moment = {0, 5000000};
  long long begun = now_us(), last = begun;
  for (;;) {
    if (events()) last = now_us();
    if (done() && (!quiet_us || point.fired || now_us() - last > quiet_us)) return 1;
    if (now_us() - begun > limit_ms * 1000ll) return 0;
    sigtimedwait(&child, 0, &moment);
  }
}

// Has the calls of the role seen from now on, those of the processes that are there too.
static void arm(void) {
  point.armed = 1;
  for (int i = 0; i < count_all; i++)
    if (!all[i].ended && all[i].traced && is_target(all + i))
      ptrace(PTRACE_INTERRUPT, all[i].pid, 0, 0);
}

// Starts a program as a child of ours; role PLAIN is not looked after. `in`, `out`: descriptors.
static struct tracee *start(const char *const *argv, int role, int in, int out) {
  int go[2];
  char byte;
  if (pipe2(go, O_CLOEXEC)) broken("pipe");
  pid_t pid = fork();
  if (pid < 0) broken("fork");
  if (!pid) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    close(go[1]);
    if (read(go[0], &byte, 1) < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
      _exit(120);
    execvp(argv[0], (char *const *)argv);
    _exit(121);
  }
  close(go[0]);
  struct tracee *t = tracee(pid);
  t->role = role;
  t->traced = role != PLAIN;
  long what = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
              PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  if (t->traced && ptrace(PTRACE_SEIZE, pid, 0, what)) broken("ptrace");
  if (t->traced && is_target(t)) ptrace(PTRACE_INTERRUPT, pid, 0, 0);
  close(go[1]);
  return t;
}

#endif
