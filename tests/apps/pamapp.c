// A PAM application to order: opens and closes sessions as login programs do, with the odd habits
// that such programs have, and tells what a module did to it. Build: cc -o pamapp pamapp.c -lpam
#define _GNU_SOURCE
#include "state.h"

#include <getopt.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stddef.h>
#include <syslog.h>
#include <sys/wait.h>
#include <time.h>

enum { OK = 0, USAGE = 2, START = 3, REFUSED = 4, CLOSE = 5, COMMAND = 6, STATE = 7, OWN = 8 };

static const char usage_text[] =
    "usage: pamapp [option]... SERVICE USER [COMMAND [ARG]...]\n"
    "  --count N          open and close N sessions, one after the other (1)\n"
    "  --per-process      each in a process of its own, as login programs do\n"
    "  --authenticate     begin with pam_authenticate\n"
    "  --account          ask pam_acct_mgmt before the session\n"
    "  --credentials      pam_setcred before and after the session\n"
    "  --password TEXT    the answer to every question without echo\n"
    "  --tty NAME --rhost NAME --ruser NAME    PAM items (tty: test)\n"
    "  --real-uid N       run set-uid: real uid N, effective 0\n"
    "  --sigchld WAY      default, ignore or handler\n"
    "  --own-child        have a child that ends while the session is opened\n"
    "  --threads N        hold N idle threads\n"
    "  --close-fds LIST   such as 0,1,2\n"
    "  --syslog           open the system log first\n"
    "  --repeat N         run the command N times in each session (1)\n"
    "  --pause            print \"opened\", then wait for the end of the input\n"
    "  --no-close         end without closing the session\n"
    "  --mark             say by a system call where the modules' calls begin and end\n"
    "  --print-state      print the state before and after\n"
    "  --same-state       exit 7 if they differ, and print the difference\n"
    "  --print-env        print the PAM environment of the open session\n"
    "  --timings          print medians in ms of open, command, close and all, and memory in kB\n"
    "  --samples          print every time measured\n"
    "exit: 2 usage, 3 pam_start, 4 refused before or by open, 5 close failed, 6 the command\n"
    "failed, 7 the state differs, 8 the status of the own child was lost\n";

static struct {
  int count, per_process, authenticate, account, credentials, own_child, threads, repeat;
  int pause, no_close, print_state, same_state, print_env, timings, samples, syslog, mark;
  long real_uid;
  const char *password, *tty, *rhost, *ruser, *sigchld, *close_fds, *service, *user;
  char **command;
  struct passwd *pw;
} o = {.count = 1, .repeat = 1, .real_uid = -1, .tty = "test", .sigchld = "default"};

// Times of one session in ms; run is the mean of the repeats.
struct times {
  double open, run, close, all;
};

// standard output and error, kept where --close-fds does not reach them
static int report = 1, errors = 2;
static volatile sig_atomic_t handler_ran;

static void count_signal(int s) {
  (void)s;
  handler_ran++;
}

static void *idle(void *unused) {
  for (;;) pause();
  return unused;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int converse(int n, const struct pam_message **messages, struct pam_response **answers,
                    void *unused) {
  (void)unused;
  struct pam_response *r = calloc(n, sizeof *r);
  if (!r) return PAM_BUF_ERR;
  for (int i = 0; i < n; i++) {
    int style = messages[i]->msg_style;
    if (style == PAM_PROMPT_ECHO_OFF && o.password) r[i].resp = strdup(o.password);
    if (style == PAM_PROMPT_ECHO_ON) r[i].resp = strdup(o.user);
    if (style == PAM_ERROR_MSG || style == PAM_TEXT_INFO)
      dprintf(report, "message %s\n", messages[i]->msg);
  }
  *answers = r;
  return PAM_SUCCESS;
}

static int failed(pam_handle_t *h, const char *call, int code, int status) {
  dprintf(errors, "pamapp: %s: %s (%d)\n", call, pam_strerror(h, code), code);
  return status;
}

// The child's half of the command: the user, then the program. Never returns.
static void become_and_exec(char **env) {
  static char *const nothing[] = {"/bin/true", 0};
  char *const *argv = o.command[0] ? o.command : nothing;
  signal(SIGCHLD, SIG_DFL);
  if (initgroups(o.pw->pw_name, o.pw->pw_gid) || setgid(o.pw->pw_gid) || setuid(o.pw->pw_uid)) {
    dprintf(errors, "pamapp: cannot become %s: %s\n", o.user, strerror(errno));
    _exit(125);
  }
  environ = env;
  setenv("HOME", o.pw->pw_dir, 1);
  setenv("USER", o.user, 1);
  setenv("LOGNAME", o.user, 1);
  setenv("SHELL", o.pw->pw_shell, 1);
  setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
  execvp(argv[0], argv);
  dprintf(errors, "pamapp: %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

// Waits for a child through signals; -1 if its status is lost, else the wait status.
static int status_of(pid_t child) {
  int status;
  pid_t got;
  while ((got = waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
  return got == child ? status : -1;
}

// Runs the command as the user inside the session. Returns 0 if each run exited 0.
static int run_command(pam_handle_t *h) {
  int bad = 0;
  for (int i = 0; i < o.repeat; i++) {
    double began = now_ms();
    char **env = pam_getenvlist(h);
    pid_t child = fork();
    if (child < 0) {
      dprintf(errors, "pamapp: fork: %s\n", strerror(errno));
      free(env);
      return COMMAND;
    }
    if (!child) become_and_exec(env);
    int status = status_of(child);
    if (o.samples) dprintf(report, "sample-run %.4f\n", now_ms() - began);
    for (char **e = env; e && *e; e++) free(*e);
    free(env);
    // with SIGCHLD ignored the kernel keeps no status: that is the application's own choice
    if (status == -1 && !strcmp(o.sigchld, "ignore")) continue;
    if (status && !o.timings && !o.samples) {
      if (status == -1) dprintf(report, "command lost\n");
      else if (WIFSIGNALED(status)) dprintf(report, "command signal %d\n", WTERMSIG(status));
      else dprintf(report, "command exit %d\n", WEXITSTATUS(status));
    }
    bad |= status != 0;
  }
  return bad ? COMMAND : OK;
}

// A child of the application's own that ends when the descriptor is closed.
static pid_t start_own_child(int *trigger) {
  int fd[2];
  char byte;
  if (pipe2(fd, O_CLOEXEC)) return -1;
  pid_t child = fork();
  if (!child) {
    close(fd[1]);
    _exit(read(fd[0], &byte, 1) == 0 ? 42 : 43);
  }
  close(fd[0]);
  *trigger = fd[1];
  return child;
}

// Ends with the lost child's exit status unless it is lost.
static int check_own_child(pid_t child) {
  int status = status_of(child);
  if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 42) {
    dprintf(report, "own child status kept\n");
    return OK;
  }
  dprintf(report, "own child status lost\n");
  return strcmp(o.sigchld, "ignore") ? OWN : OK;
}

static int prepare_login(pam_handle_t *h) {
  int e;
  const struct { int item; const char *value; } items[] = {
      {PAM_TTY, o.tty}, {PAM_RHOST, o.rhost}, {PAM_RUSER, o.ruser}};
  for (size_t i = 0; i < sizeof items / sizeof *items; i++)
    if (items[i].value && (e = pam_set_item(h, items[i].item, items[i].value)))
      return failed(h, "pam_set_item", e, START);
  if (o.authenticate && (e = pam_authenticate(h, 0)))
    return failed(h, "pam_authenticate", e, REFUSED);
  if (o.account && (e = pam_acct_mgmt(h, 0))) return failed(h, "pam_acct_mgmt", e, REFUSED);
  if (o.credentials && (e = pam_setcred(h, PAM_ESTABLISH_CRED)))
    return failed(h, "pam_setcred", e, REFUSED);
  return OK;
}

// For whoever traces this process; the kernel knows of no such option and does nothing.
static void mark(int begins) {
  if (o.mark) prctl(0x6e737368, begins, 0, 0, 0);
}

static void while_open(pam_handle_t *h) {
  char byte;
  if (o.print_env) {
    char **env = pam_getenvlist(h);
    for (char **e = env; e && *e; e++) {
      dprintf(report, "env %s\n", *e);
      free(*e);
    }
    free(env);
  }
  if (o.pause) {
    dprintf(report, "opened\n");
    for (ssize_t n = 1; n > 0 || (n < 0 && errno == EINTR);) n = read(0, &byte, 1);
  }
}

// Opens the session, runs the command in it and closes it.
static int session(pam_handle_t *h, struct times *t) {
  int trigger = -1, status, e;
  pid_t own = o.own_child ? start_own_child(&trigger) : 0;
  if (trigger >= 0) close(trigger);
  double t0 = now_ms();
  mark(1);
  e = pam_open_session(h, 0);
  mark(0);
  double t1 = now_ms();
  status = own > 0 ? check_own_child(own) : OK;
  if (e) return failed(h, "pam_open_session", e, REFUSED);
  while_open(h);
  double t2 = now_ms();
  int ran = o.pause && !o.command[0] ? OK : run_command(h);
  double t3 = now_ms();
  if (o.no_close) _exit(ran ? ran : status);
  mark(1);
  e = pam_close_session(h, 0);
  mark(0);
  double t4 = now_ms();
  *t = (struct times){t1 - t0, (t3 - t2) / o.repeat, t4 - t3, t4 - t0};
  if (e) return failed(h, "pam_close_session", e, CLOSE);
  if (o.credentials && (e = pam_setcred(h, PAM_DELETE_CRED)))
    return failed(h, "pam_setcred", e, CLOSE);
  return ran ? ran : status;
}

static int login(struct times *t) {
  struct pam_conv conv = {converse, 0};
  pam_handle_t *h = 0;
  int e = pam_start(o.service, o.user, &conv, &h);
  if (e) return failed(h, "pam_start", e, START);
  int status = prepare_login(h);
  if (!status) status = session(h, t);
  pam_end(h, PAM_SUCCESS);
  return status;
}

static int login_in_own_process(struct times *t) {
  int fd[2];
  if (pipe2(fd, O_CLOEXEC)) return START;
  pid_t app = fork();
  if (app < 0) return START;
  if (!app) {
    struct times mine = {0};
    int status = login(&mine);
    if (write(fd[1], &mine, sizeof mine) != sizeof mine) status = START;
    _exit(status);
  }
  close(fd[1]);
  int got = read(fd[0], t, sizeof *t) == sizeof *t;
  close(fd[0]);
  int status = status_of(app);
  if (status == -1) return strcmp(o.sigchld, "ignore") ? OWN : OK;
  return WIFEXITED(status) ? WEXITSTATUS(status) : got ? OK : START;
}

static int by_number(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_times(const char *name, const struct times *all, int n, size_t offset) {
  double *v = calloc(n, sizeof *v);
  if (!v) return;
  for (int i = 0; i < n; i++) memcpy(v + i, (const char *)(all + i) + offset, sizeof *v);
  qsort(v, n, sizeof *v, by_number);
  dprintf(report, "%s median %.3f p95 %.3f max %.3f\n", name, v[n / 2], v[(int)(n * .95)],
          v[n - 1]);
  free(v);
}

// What no file backs, in kB, counted from the page tables. The usual figures (ru_maxrss, VmRSS) are
// kept per processor, and wrong by some hundred kB.
static long memory_now(void) {
  char line[256];
  long kb = -1;
  FILE *f = fopen("/proc/self/smaps_rollup", "re");
  if (!f) return -1;
  while (kb < 0 && fgets(line, sizeof line, f)) sscanf(line, "Anonymous: %ld", &kb);
  fclose(f);
  return kb;
}

static int all_logins(void) {
  int first = OK, bad = 0, done = 0;
  struct times *all = calloc(o.count, sizeof *all);
  if (!all) return START;
  for (int i = 0; i < o.count; i++) {
    struct times t = {0};
    int status = o.per_process ? login_in_own_process(&t) : login(&t);
    if (status) {
      bad++;
      if (!first) first = status;
      if (bad == 10) {
        dprintf(errors, "pamapp: ten failures, no more are tried\n");
        break;
      }
      continue;
    }
    if (o.samples)
      dprintf(report, "sample %.4f %.4f %.4f %.4f\n", t.open, t.run, t.close, t.all);
    all[done++] = t;
  }
  if (o.timings && done) {
    print_times("open", all, done, offsetof(struct times, open));
    print_times("run", all, done, offsetof(struct times, run));
    print_times("close", all, done, offsetof(struct times, close));
    print_times("all", all, done, offsetof(struct times, all));
  }
  if (o.timings) dprintf(report, "memory %ld\n", memory_now());
  if (o.timings || o.count > 1) dprintf(report, "failures %d of %d\n", bad, done + bad);
  free(all);
  return first;
}

static int parse(int argc, char **argv) {
  enum { FLAG, NUMBER, TEXT };
  static const struct { const char *name; int kind; void *to; } known[] = {
      {"count", NUMBER, &o.count}, {"per-process", FLAG, &o.per_process},
      {"authenticate", FLAG, &o.authenticate}, {"account", FLAG, &o.account},
      {"credentials", FLAG, &o.credentials}, {"password", TEXT, &o.password},
      {"tty", TEXT, &o.tty}, {"rhost", TEXT, &o.rhost}, {"ruser", TEXT, &o.ruser},
      {"real-uid", NUMBER, 0}, {"sigchld", TEXT, &o.sigchld}, {"own-child", FLAG, &o.own_child},
      {"threads", NUMBER, &o.threads}, {"close-fds", TEXT, &o.close_fds},
      {"repeat", NUMBER, &o.repeat}, {"pause", FLAG, &o.pause}, {"no-close", FLAG, &o.no_close},
      {"print-state", FLAG, &o.print_state}, {"same-state", FLAG, &o.same_state},
      {"print-env", FLAG, &o.print_env}, {"timings", FLAG, &o.timings},
      {"samples", FLAG, &o.samples}, {"syslog", FLAG, &o.syslog},
      {"mark", FLAG, &o.mark}};
  enum { N = sizeof known / sizeof *known };
  struct option options[N + 1] = {0};
  for (int i = 0; i < N; i++)
    options[i] = (struct option){known[i].name, known[i].kind == FLAG ? 0 : 1, 0, i};
  int at, index;
  // "+": what follows USER belongs to the command
  while ((at = getopt_long(argc, argv, "+", options, &index)) != -1) {
    if (at == '?') return USAGE;
    if (known[index].kind == FLAG) *(int *)known[index].to = 1;
    else if (known[index].kind == TEXT) *(const char **)known[index].to = optarg;
    else if (!known[index].to) o.real_uid = atol(optarg);
    else *(int *)known[index].to = atoi(optarg);
  }
  if (argc - optind < 2 || o.count < 1 || o.repeat < 1) return USAGE;
  o.service = argv[optind];
  o.user = argv[optind + 1];
  o.command = argv + optind + 2;
  return OK;
}

// Takes on the habits that were asked for. They are part of the state before the session.
static int take_habits(void) {
  pthread_t thread;
  report = fcntl(1, F_DUPFD_CLOEXEC, 200);
  errors = fcntl(2, F_DUPFD_CLOEXEC, 201);
  if (report < 0 || errors < 0) return USAGE;
  for (const char *at = o.close_fds; at && *at; at += strcspn(at, ","), at += *at == ',')
    close(atoi(at));
  // else libc does it at the first message of a module, and keeps the descriptor
  if (o.syslog) openlog("pamapp", LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
  if (!strcmp(o.sigchld, "ignore")) signal(SIGCHLD, SIG_IGN);
  else if (!strcmp(o.sigchld, "handler")) signal(SIGCHLD, count_signal);
  else if (strcmp(o.sigchld, "default")) return USAGE;
  for (int i = 0; i < o.threads; i++)
    if (pthread_create(&thread, 0, idle, 0)) return USAGE;
  if (o.real_uid >= 0 && setresuid((uid_t)o.real_uid, 0, 0)) return USAGE;
  return OK;
}

int main(int argc, char **argv) {
  if (parse(argc, argv) || take_habits()) {
    dprintf(errors, "%s", usage_text);
    return USAGE;
  }
  o.pw = getpwnam(o.user);
  if (!o.pw) {
    dprintf(errors, "pamapp: no user %s\n", o.user);
    return START;
  }
  int stateful = o.print_state || o.same_state;
  char *before = stateful ? state_text() : 0;
  long memory = resident_kb();
  if (before && o.print_state) print_prefixed(report, "before", before);
  int status = all_logins();
  if (!strcmp(o.sigchld, "handler")) dprintf(report, "handler ran %d\n", (int)handler_ran);
  char *after = stateful ? state_text() : 0;
  if (after && o.print_state) print_prefixed(report, "after", after);
  if (o.same_state) {
    if (!before || !after) return STATE;
    dprintf(report, "memory before %ld after %ld kB\n", memory, resident_kb());
    if (print_difference(report, before, after) && !status) status = STATE;
  }
  free(before);
  free(after);
  return status;
}
