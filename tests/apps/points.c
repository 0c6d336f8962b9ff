// Kills each process of a login at each of its system calls in turn, or has the call fail, and
// looks each time whether the login was as planned or none, whether the next one works, and
// whether anything is left. Build: cc -o points points.c, with calls.h beside it (see trace.h).
#define _GNU_SOURCE
#include "look.h"
#include "trace.h"

static const char usage_text[] =
    "usage: points look    print what there is to see of this process's session\n"
    "       points try SCENARIO ACTION ROLE...    all system calls of these, and the outcomes\n"
    "scenarios: open, join, leave, last, keep, end\n"
    "actions: kill, sweep (kill, and nothing but nsctl gc cleans up), or the name of an errno\n";

// How long anything at all may take, how long the login that comes next, how long nothing must
// happen until a process that waits counts as having done its part, and how long `nsctl end` may
// take, which waits for a session 10 s longer than its grace; in ms.
enum { LIMIT = 20000, NEXT = 3000, QUIET = 40, END = 8000 };

enum result { REFUSED, GOOD, KILLED, RESULTS };

static const char output[] = "/run/points-output", system_log[] = "/run/testlog";
static const char *const app[] = {"pamapp", "--syslog", "--same-state", "--mark", "pamapp", "alice",
                                  "nsshell", "-c", "exec points look", 0};
static const char *const holding_app[] = {"pamapp", "--syslog", "--mark", "--pause", "pamapp",
                                          "alice", 0};
static const char *const planting_app[] = {"pamapp", "--syslog", "pamapp", "alice", "nsshell", "-c",
                                           "sleep 1000 </dev/null >/dev/null 2>&1 &", 0};

// The second of the latter is with what lies on disk.
static char *good_look, *nothing_left[2];
static const char *scenario, *action;
static int faults;

// The one that is looked at now.
static struct tracee *root;

// Something that must not be: told, counted, and the next point is tried.
static void fault(const char *what, const char *detail) {
  printf("fault %s %s %s %d %s: %s\n%s\n", scenario, action, role_names[point.role], point.at,
         point.call ? point.call : "none", what, detail ? detail : "");
  faults++;
}

static int root_ended(void) { return root->ended; }

static int all_ended(void) {
  for (int i = 0; i < count_all; i++)
    if (!all[i].ended) return 0;
  return 1;
}

static int open_output(void) {
  int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) broken(output);
  return fd;
}

static int open_null(void) {
  static int null = -1;
  if (null < 0) null = open("/dev/null", O_RDWR | O_CLOEXEC);
  return null;
}

static struct tracee *start_to_output(const char *const *argv, int role) {
  int fd = open_output();
  struct tracee *t = start(argv, role, open_null(), fd);
  close(fd);
  return t;
}

// A login that stays until it is told to leave.
struct held {
  struct tracee *app;
  int in, out;
};

static int opened_from = -1;
static char opened_text[4096];

static int is_opened(void) {
  size_t had = strlen(opened_text);
  ssize_t n = read(opened_from, opened_text + had, sizeof opened_text - 1 - had);
  if (n > 0) opened_text[had + n] = 0;
  return strstr(opened_text, "opened\n") || root->ended;
}

static struct held hold(int role) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC | O_NONBLOCK)) broken("pipe");
  struct held h = {start(holding_app, role, in[0], out[1]), in[1], out[0]};
  close(in[0]);
  close(out[1]);
  root = h.app;
  opened_from = h.out;
  opened_text[0] = 0;
  if (!follow(is_opened, 0, LIMIT) || root->ended) fault("a login before the point", opened_text);
  return h;
}

static void let_go(struct held *h) {
  if (h->in >= 0) close(h->in);
  h->in = -1;
}

static void forget(struct held *h) {
  let_go(h);
  close(h->out);
}

// What was printed of a session; its name goes to `name`. None if nothing was; the caller frees.
static char *looked(char *text, char name[32]) {
  char *from = text ? strstr(text, "look ") : 0, *to = from ? strstr(from, "\nlooked\n") : 0;
  name[0] = 0;
  if (!to) return 0;
  sscanf(from, "look %31s", name);
  from = strchr(from, '\n') + 1;
  return strndup(from, to + 1 > from ? to + 1 - from : 0);
}

// How many bytes two texts begin with alike.
static size_t alike(const char *a, const char *b) {
  size_t n = 0;
  while (a[n] && a[n] == b[n]) n++;
  return n;
}

static void report_difference(const char *what, const char *before, const char *after) {
  fault(what, 0);
  fflush(stdout);
  if (print_difference(1, before, after)) return;
  printf("differs from here on: %.300s\n", after + alike(before, after));
}

// How often the words are in the log since it was so long; waits for the first time.
static int logged(off_t since, const char *words) {
  for (int i = 0; i < 400; i++) {
    char *text = file_text(system_log);
    int lines = 0;
    for (char *at = text ? text + since : 0; at && (at = strstr(at, words)); at++) lines++;
    free(text);
    if (lines) return lines;
    usleep(5000);
  }
  return 0;
}

static off_t log_size(void) {
  struct stat s = {0};
  stat(system_log, &s);
  return s.st_size;
}

// A host without /dev/mqueue gives a session that has none of its own: with ENOENT this is one.
static int lacks_queues(const char *seen) {
  static const char line[] = "mount / /dev/mqueue ";
  if (point.role != INIT || point.action != ENOENT) return 0;
  const char *first = strstr(good_look, line), *last = first ? strstr(first + 1, line) : 0;
  size_t same = last ? last - good_look : 0;
  const char *rest = last ? strchr(last, '\n') + 1 : 0;
  return last && !strncmp(good_look, seen, same) && !strcmp(rest, seen + same);
}

// Who may not see where process 1 stands makes a session that nobody shares, and says so.
static int stands_apart(off_t log) {
  return point.role == HELPER && point.action == EACCES && logged(log, " apart=mount") > 0;
}

// Whoever is told that there is none of what a session consists of makes another one.
static int finds_none(void) { return point.role == HELPER && point.action == ENOENT; }

// What became of the login that has just ended. `session`: the one that it was to join, or none.
static enum result judge_login(const char *session, off_t log) {
  char name[32], *text = file_text(output), *seen = looked(text, name);
  int status = WIFEXITED(root->status) ? WEXITSTATUS(root->status) : -1;
  int applications = point.role == APPLICATION, inits = point.role == INIT;
  enum result result = seen ? GOOD : REFUSED;
  if (seen && strcmp(seen, good_look) && !lacks_queues(seen))
    report_difference("half a session", good_look, seen);
  if (seen && session && strcmp(session, name) && !inits && !finds_none() && !stands_apart(log))
    fault("another session", name);
  switch (status) {
    case -1: // the application was killed
      result = KILLED;
      if (!applications || point.action != KILL) fault("the application was killed", text);
      break;
    case 0:
    case 5: // it could not be closed
      if (!seen) fault("no session, and no refusal", text);
      if (status && !applications) fault("the session cannot be closed", text);
      break;
    case 4: // the module refuses
      if (seen) fault("refused, and a session", text);
      if (applications) break;
      if (strstr(text, "\nchanged ")) fault("the refused application is not as it was", text);
      if (point.fired && logged(log, " refused: ") != 1) fault("no refusal in the log, or more than one", text);
      break;
    case 6: // the command has failed: nsshell refuses, or was killed, or everything in the session
      if (point.role != NSSHELL && !inits && !applications) fault("the command has failed", text);
      if (!seen && strstr(text, "command signal")) result = KILLED;
      break;
    case 7: // what a close or a log that fails leaves of descriptors is the application's
      if (applications && !strstr(text, "\nchanged before ns ")) break;
      // fall through
    default: fault("the application has failed", text);
  }
  free(seen);
  free(text);
  return result;
}

// The login that comes next: at once, and good. `session`: the one that it has to join, or none.
static void next_login(const char *session) {
  char name[32];
  long long begun = now_us();
  root = start_to_output(app, PLAIN);
  if (!follow(root_ended, 0, LIMIT)) {
    fault("the next login hangs", 0);
    kill(root->pid, SIGKILL);
    follow(root_ended, 0, LIMIT);
  }
  char *text = file_text(output), *seen = looked(text, name);
  if (!WIFEXITED(root->status) || WEXITSTATUS(root->status) || !seen)
    fault("the next login fails", text);
  else if (strcmp(seen, good_look)) report_difference("the next login is half", good_look, seen);
  if (session && strcmp(session, name)) fault("the next login is in another session", name);
  if (now_us() - begun > NEXT * 1000ll) fault("the next login is late", text);
  free(seen);
  free(text);
}

static int run(const char *const *argv) {
  root = start_to_output(argv, PLAIN);
  if (!follow(root_ended, 0, LIMIT)) broken(argv[1]);
  return root->status;
}

// Waits until nothing is there that was not there before.
static void look_for_leavings(const char *when, int on_disk) {
  for (int i = 0;; i++) {
    char *text = left_text(on_disk);
    int same = text && !strcmp(text, nothing_left[on_disk]);
    if (!same && i == 1000) report_difference(when, nothing_left[on_disk], text);
    free(text);
    if (same || i == 1000) return;
    events();
    usleep(i < 10 ? 1000 : 5000);
  }
}

// Everybody who is left of a point that went wrong.
static void kill_all(void) {
  for (int i = 0; i < count_all; i++)
    if (!all[i].ended) kill(all[i].pid, SIGKILL);
  follow(all_ended, 0, LIMIT);
}

// What lies on disk is removed by the next login with the same store, if there was one.
static void clean_up(int on_disk) {
  static const char *const gc[] = {"nsctl", "gc", 0};
  if (!follow(all_ended, 0, LIMIT)) {
    fault("processes are left", 0);
    for (int i = 0; i < count_all; i++)
      if (!all[i].ended && all[i].role >= 0) printf("%s\n", role_names[all[i].role]);
    kill_all();
  }
  if (run(gc)) fault("gc fails", 0);
  look_for_leavings("left behind after gc", on_disk);
}

// The name of the only session that there is.
static const char *only_session(void) {
  static char name[32];
  int count;
  char **names = names_in("/run/nsshell/sessions", &count, 0);
  name[0] = 0;
  for (int i = 0; i < count; i++) {
    if (i == 0) snprintf(name, sizeof name, "%s", names[i]);
    free(names[i]);
  }
  free(names);
  if (count != 1) fault("not one session before the point", name);
  return name;
}

// Waits for what the point is in.
static void wait_for_end(int (*done)(void), int quiet_us, int limit_ms) {
  if (!follow(done, quiet_us, limit_ms)) {
    fault("no end", file_text(output));
    kill_all();
  }
  point.armed = 0;
}

// The scenarios. Each ends with nobody in a session of its own making.

static enum result try_open(void) {
  off_t log = log_size();
  arm();
  root = start_to_output(app, APPLICATION);
  wait_for_end(all_ended, 0, LIMIT);
  return judge_login(0, log);
}

static enum result try_join(void) {
  struct held first = hold(FIRST);
  const char *session = only_session();
  off_t log = log_size();
  arm();
  root = start_to_output(app, APPLICATION);
  wait_for_end(root_ended, QUIET * 1000, LIMIT);
  enum result result = judge_login(session, log);
  // an init that is killed, or may not wait, takes the first login's session with it
  next_login(point.role == INIT ? 0 : session);
  forget(&first);
  return result;
}

static enum result leave_by(struct held *leaving, int (*done)(void), int quiet) {
  arm();
  root = leaving->app;
  let_go(leaving);
  wait_for_end(done, quiet, LIMIT);
  int status = leaving->app->status;
  if (WIFSIGNALED(status)) return KILLED;
  int code = WEXITSTATUS(status);
  if (code && (code != 5 || point.role != APPLICATION)) fault("the application cannot leave", 0);
  return code ? REFUSED : GOOD;
}

static enum result try_leave(void) {
  struct held first = hold(FIRST);
  const char *session = only_session();
  struct held second = hold(APPLICATION);
  enum result result = leave_by(&second, root_ended, QUIET * 1000);
  next_login(point.role == INIT ? 0 : session);
  forget(&second);
  forget(&first);
  return result;
}

static enum result try_last(void) {
  struct held only = hold(APPLICATION);
  enum result result = leave_by(&only, all_ended, 0);
  forget(&only);
  return result;
}

static enum result try_keep(void) {
  static const char *const end[] = {"nsctl", "end", "--all", "--now", 0};
  struct held only = hold(APPLICATION);
  const char *session = only_session();
  if (run(planting_app)) fault("nothing to be kept", 0);
  enum result result = leave_by(&only, root_ended, QUIET * 1000);
  next_login(point.role == INIT ? 0 : session);
  if (run(end)) fault("what is kept cannot be ended", 0);
  forget(&only);
  return result;
}

static enum result try_end(void) {
  struct held only = hold(FIRST);
  const char *end[] = {"nsctl", "end", only_session(), 0};
  struct tracee *init = 0;
  for (int i = 0; i < count_all; i++)
    if (all[i].role == INIT) init = all + i;
  arm();
  struct tracee *nsctl = root = start_to_output(end, NSCTL);
  wait_for_end(root_ended, QUIET * 1000, END);
  int ended = WIFEXITED(nsctl->status) && !WEXITSTATUS(nsctl->status);
  if (ended && (!init || !init->ended)) fault("nsctl says that the session has ended", 0);
  next_login(0);
  forget(&only);
  return WIFSIGNALED(nsctl->status) ? KILLED : ended ? GOOD : REFUSED;
}

static const struct {
  const char *name;
  enum result (*attempt)(void);
} scenarios[] = {{"open", try_open}, {"join", try_join}, {"leave", try_leave},
                 {"last", try_last}, {"keep", try_keep}, {"end", try_end}};

// One point; whether there is such a one.
static int try_point(enum result (*attempt)(void), int role, int at, int what, int sweep,
                     int *results) {
  count_all = 0;
  memset(&point, 0, sizeof point);
  point.role = role;
  point.at = at;
  point.action = what;
  enum result result = attempt();
  int fired = point.fired;
  if (fired) results[result]++;
  // what a login that comes next would clean up is gc's here
  if (!sweep) next_login(0);
  clean_up(!sweep);
  if (sweep && fired) {
    next_login(0);
    look_for_leavings("left behind by the next login", 1);
  }
  fflush(stdout);
  return fired;
}

static void try_role(enum result (*attempt)(void), int role, int what, int sweep) {
  int results[RESULTS] = {0}, points = 0;
  // not every run makes as many calls as the last one
  for (int at = 1, missed = 0, before = faults; missed < 2 && faults < before + 10; at++) {
    int fired = try_point(attempt, role, at, what, sweep, results);
    points += fired;
    missed = fired ? 0 : missed + 1;
  }
  printf("points %s %s %s %d %d %d %d\n", scenario, role_names[role], action, points,
         results[REFUSED], results[GOOD], results[KILLED]);
  fflush(stdout);
}

static int action_named(const char *name) {
  static const struct { const char *name; int number; } known[] = {
      {"kill", KILL}, {"sweep", KILL}, {"ENOMEM", ENOMEM}, {"EPERM", EPERM}, {"EACCES", EACCES},
      {"ENOENT", ENOENT}, {"EMFILE", EMFILE}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(name, known[i].name)) return known[i].number;
  return 0;
}

// Else what is compared with it would mean nothing.
static int is_confined(const char *seen) {
  static const char *const musts[] = {
      "namespace cgroup own\n", "namespace ipc own\n", "namespace mnt own\n",
      "namespace pid own\n", "namespace user own\n", "namespace uts own\n",
      "\nuser namespace of the session 1\n", "\ninit Name:\tnsshell-init\n"};
  for (size_t i = 0; i < sizeof musts / sizeof *musts; i++)
    if (!strstr(seen, musts[i])) return 0;
  return 1;
}

// What a good login sees, and what there is of it afterwards; the first one makes what stays.
static void learn(void) {
  char name[32];
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, 0);
  for (int i = 0; i < 2; i++) {
    int failed = run(app);
    char *text = file_text(output);
    if (failed) broken(text);
    free(good_look);
    good_look = looked(text, name);
    free(text);
    if (!good_look || !is_confined(good_look)) broken("a good login is in no session");
    usleep(200000);
    for (int disk = 0; disk < 2; disk++) {
      free(nothing_left[disk]);
      nothing_left[disk] = left_text(disk);
    }
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "look")) return look();
  if (argc < 5 || strcmp(argv[1], "try")) {
    fputs(usage_text, stderr);
    return 2;
  }
  // a session has this one, too
  if (chdir("/")) broken("/");
  scenario = argv[2];
  action = argv[3];
  int what = action_named(action);
  enum result (*attempt)(void) = 0;
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    if (!strcmp(scenario, scenarios[i].name)) attempt = scenarios[i].attempt;
  if (!attempt || !what) {
    fputs(usage_text, stderr);
    return 2;
  }
  learn();
  int sweep = !strcmp(action, "sweep");
  for (int i = 4; i < argc; i++)
    for (int role = 0; role < ROLES; role++)
      if (!strcmp(argv[i], role_names[role])) try_role(attempt, role, what, sweep);
  return faults != 0;
}
