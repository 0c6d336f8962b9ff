// What a process can find out about itself: a PAM application's state before and after a session
// must be the same text.
#ifndef NSSHELL_TEST_STATE_H
#define NSSHELL_TEST_STATE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

extern char **environ;

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void link_line(FILE *out, const char *label, const char *path) {
  char target[512];
  ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0) {
    fprintf(out, "%s ? %s\n", label, strerror(errno));
    return;
  }
  target[n] = 0;
  fprintf(out, "%s %s\n", label, target);
}

// Names in a directory, sorted: the kernel promises no order. The caller frees.
static char **names_in(const char *dir, int *count, int *own_fd) {
  char **names = 0;
  DIR *d = opendir(dir);
  *count = 0;
  if (!d) return 0;
  if (own_fd) *own_fd = dirfd(d);
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] == '.') continue;
    char **grown = realloc(names, (*count + 1) * sizeof *names);
    if (!grown) break;
    names = grown;
    names[(*count)++] = strdup(e->d_name);
  }
  closedir(d);
  if (names) qsort(names, *count, sizeof *names, by_text);
  return names;
}

static void directory_links(FILE *out, const char *label, const char *dir) {
  int count, own = -1;
  char **names = names_in(dir, &count, &own);
  for (int i = 0; i < count; i++) {
    char path[600], line[300];
    // the descriptor of this very listing is no part of the state
    if (own < 0 || strcmp(label, "fd") || atoi(names[i]) != own) {
      snprintf(path, sizeof path, "%s/%s", dir, names[i]);
      snprintf(line, sizeof line, "%s %s", label, names[i]);
      link_line(out, line, path);
    }
    free(names[i]);
  }
  free(names);
}

// Lines of a small /proc file that begin with one of the names; all of them if names is null.
static void file_lines(FILE *out, const char *label, const char *path, const char *const *names) {
  char line[512];
  FILE *f = fopen(path, "re");
  if (!f) {
    fprintf(out, "%s ? %s\n", label, strerror(errno));
    return;
  }
  while (fgets(line, sizeof line, f)) {
    int wanted = !names;
    for (int i = 0; names && names[i]; i++)
      wanted |= !strncmp(line, names[i], strlen(names[i]));
    line[strcspn(line, "\n")] = 0;
    if (wanted) fprintf(out, "%s %s\n", label, line);
  }
  fclose(f);
}

static void children_lines(FILE *out) {
  int count;
  char **tasks = names_in("/proc/self/task", &count, 0);
  for (int i = 0; i < count; i++) {
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/children", tasks[i]);
    // which thread has which id is chance; that none has a child is not
    file_lines(out, "children", path, 0);
    free(tasks[i]);
  }
  free(tasks);
}

static void signal_lines(FILE *out) {
  for (int s = 1; s < NSIG; s++) {
    struct sigaction a;
    if (sigaction(s, 0, &a)) continue;
    unsigned long mask = 0;
    memcpy(&mask, &a.sa_mask, sizeof mask);
    fprintf(out, "signal %d handler %p flags %#x mask %#lx\n", s, (void *)a.sa_handler,
            (unsigned)a.sa_flags, mask);
  }
}

static void identity_lines(FILE *out) {
  struct stat root, cwd;
  if (!stat("/", &root) && !stat(".", &cwd))
    fprintf(out, "directories root %llu:%llu cwd %llu:%llu\n", (unsigned long long)root.st_dev,
            (unsigned long long)root.st_ino, (unsigned long long)cwd.st_dev,
            (unsigned long long)cwd.st_ino);
  int subreaper = -1, death_signal = -1;
  prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  prctl(PR_GET_PDEATHSIG, &death_signal);
  fprintf(out, "process session %d group %d dumpable %d subreaper %d pdeathsig %d keepcaps %d\n",
          getsid(0), getpgrp(), prctl(PR_GET_DUMPABLE), subreaper, death_signal,
          prctl(PR_GET_KEEPCAPS));
  for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
    struct itimerval t;
    if (!getitimer(which, &t))
      fprintf(out, "timer %d %s\n", which,
              t.it_value.tv_sec || t.it_value.tv_usec ? "running" : "off");
  }
}

// The whole state as text, one fact a line. The caller frees; null without memory.
static char *state_text(void) {
  static const char *const status[] = {"Umask:",   "Uid:",    "Gid:",    "Groups:",     "Threads:",
                                       "SigPnd:", "ShdPnd:", "SigBlk:",     "SigIgn:",
                                       "SigCgt:",  "CapInh:", "CapPrm:", "CapEff:",     "CapBnd:",
                                       "CapAmb:",  "NoNew",   "Seccomp", "TracerPid:",  0};
  char *text = 0;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return 0;
  directory_links(out, "fd", "/proc/self/fd");
  directory_links(out, "ns", "/proc/self/ns");
  link_line(out, "cwd", "/proc/self/cwd");
  link_line(out, "root", "/proc/self/root");
  file_lines(out, "status", "/proc/self/status", status);
  file_lines(out, "limit", "/proc/self/limits", 0);
  file_lines(out, "oom", "/proc/self/oom_score_adj", 0);
  file_lines(out, "cgroup", "/proc/self/cgroup", 0);
  children_lines(out);
  signal_lines(out);
  identity_lines(out);
  for (char **e = environ; e && *e; e++) fprintf(out, "environ %s\n", *e);
  if (fclose(out)) return 0;
  return text;
}

static void print_prefixed(int fd, const char *prefix, const char *text) {
  for (const char *line = text; *line;) {
    int n = (int)strcspn(line, "\n");
    dprintf(fd, "%s %.*s\n", prefix, n, line);
    line += n + (line[n] == '\n');
  }
}

// Whether a line stands, whole, in a text.
static int has_line(const char *text, const char *line, size_t n) {
  for (const char *at = text; *at;) {
    size_t length = strcspn(at, "\n");
    if (length == n && !memcmp(at, line, n)) return 1;
    at += length + (at[length] == '\n');
  }
  return 0;
}

// Prints the lines that stand in only one of the two texts; returns how many.
static int print_difference(int fd, const char *before, const char *after) {
  int different = 0;
  for (int side = 0; side < 2; side++) {
    const char *from = side ? after : before, *other = side ? before : after;
    for (const char *line = from; *line;) {
      size_t n = strcspn(line, "\n");
      if (!has_line(other, line, n)) {
        dprintf(fd, "changed %s %.*s\n", side ? "after" : "before", (int)n, line);
        different++;
      }
      line += n + (line[n] == '\n');
    }
  }
  return different;
}

// Resident memory of this process in kB, 0 if unknown.
static long resident_kb(void) {
  char line[256];
  long kb = 0;
  FILE *f = fopen("/proc/self/status", "re");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "VmRSS: %ld", &kb);
  if (f) fclose(f);
  return kb;
}

#endif
