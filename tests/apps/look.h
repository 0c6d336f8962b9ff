// What a process finds of the session that it is in, and what sessions leave behind on a host: as
// text, so that two of them can be compared.
#ifndef NSSHELL_TEST_LOOK_H
#define NSSHELL_TEST_LOOK_H

#include "state.h"

#include <ftw.h>

// Where the namespaces of the host are noted, a line of /proc/PID/ns each.
#define OUTSIDE "/srv/outside"

static char *file_text(const char *path) {
  char *text = 0, buffer[4096];
  size_t size = 0, n;
  FILE *in = fopen(path, "re");
  FILE *out = in ? open_memstream(&text, &size) : 0;
  while (out && (n = fread(buffer, 1, sizeof buffer, in))) fwrite(buffer, 1, n, out);
  if (in) fclose(in);
  if (out) fclose(out);
  return text;
}

// Whose each namespace is, and whether the user namespace is the one made for the session.
static void namespace_lines(FILE *out) {
  static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};
  char *outside = file_text(OUTSIDE);
  struct stat own, made;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
    ssize_t n = readlink(path, target, sizeof target);
    int hosts = n < 0 || !outside || has_line(outside, target, n);
    fprintf(out, "namespace %s %s\n", kinds[i], hosts ? "of the host" : "own");
  }
  int same = !stat("/proc/self/ns/user", &own) && !stat("/run/nsshell/user", &made) &&
             own.st_dev == made.st_dev && own.st_ino == made.st_ino;
  fprintf(out, "user namespace of the session %d\n", same);
  free(outside);
}

static void places_lines(FILE *out) {
  static const char *const paths[] = {"/tmp", "/var/tmp", "/dev/shm", "/run/user", "/run/nsshell",
                                      "/run/nsshell/plan", "."};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    struct stat s = {0};
    int found = !stat(paths[i], &s);
    fprintf(out, "place %s %d %o %u:%u\n", paths[i], found, s.st_mode, s.st_uid, s.st_gid);
  }
}

// Without what differs from one session to the next: numbers of namespaces and mounts, the name.
static void put_normal(FILE *out, const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *at = text; *at;) {
    int line_begins = at == text || at[-1] == '\n';
    if (line_begins && !strncmp(at, "mount ", 6)) {
      // two ids and the device's number, which an overlay has anew each time
      fputs("mount", out);
      at += 6;
      for (int i = 0; i < 3; i++) at += strcspn(at, " ") + (i < 2);
    } else if (*at == '[' && at[1 + strspn(at + 1, "0123456789")] == ']') {
      at += 2 + strspn(at + 1, "0123456789");
    } else if (length && !strncmp(at, name, length)) {
      fputs("SESSION", out);
      at += length;
    } else {
      fputc(*at++, out);
    }
  }
}

// The session's name on a line, then all that there is to see of it, whole or not at all.
static int look(void) {
  static const char *const own[] = {"Uid:", "Gid:", "Groups:", "Cap", "NoNew", "Seccomp:",
                                    "SigBlk:", "SigIgn:", 0};
  static const char *const inits[] = {"Name:", "Uid:", "Cap", 0};
  const char *name = getenv("NSSHELL_SESSION"), *profile = getenv("NSSHELL_PROFILE");
  char *raw = 0, *text = 0;
  size_t size = 0, length = 0;
  FILE *out = open_memstream(&raw, &size);
  if (!out) return 1;
  namespace_lines(out);
  file_lines(out, "self", "/proc/self/status", own);
  file_lines(out, "init", "/proc/1/status", inits);
  file_lines(out, "uid map", "/proc/self/uid_map", 0);
  file_lines(out, "gid map", "/proc/self/gid_map", 0);
  file_lines(out, "setgroups", "/proc/self/setgroups", 0);
  file_lines(out, "mount", "/proc/self/mountinfo", 0);
  directory_links(out, "fd", "/proc/self/fd");
  places_lines(out);
  fprintf(out, "profile %s\n", profile ? profile : "none");
  fclose(out);
  out = open_memstream(&text, &length);
  if (!out) return 1;
  fprintf(out, "look %s\n", name ? name : "none");
  put_normal(out, raw, name ? name : "");
  fprintf(out, "looked\n");
  fclose(out);
  return write(1, text, length) != (ssize_t)length;
}

static FILE *leavings;

static int leaving(const char *path, const struct stat *s, int type, struct FTW *at) {
  (void)s;
  // those of other test hosts, which run at the same time
  if (!strncmp(path + at->base, "nsshell-testhost-", 17)) return FTW_SKIP_SUBTREE;
  int directory = type == FTW_D || type == FTW_DP;
  if (!strncmp(path, "/sys/", 5) ? directory
                                 : strcmp(path, "/run/nsshell/sessions") &&
                                       strcmp(path, "/run/nsshell/users"))
    fprintf(leavings, "path %s\n", path);
  return FTW_CONTINUE;
}

// What sessions may leave behind: processes, mounts, records, doors, copies, locks, cgroups, and
// what lies on disk if that is asked for. A namespace is held by one of the first two, or gone.
static char *left_text(int on_disk) {
  static const char *const trees[] = {"/run/nsshell", "/sys/fs/cgroup", "/tmp", "/var/tmp",
                                      "/dev/shm", "/srv/disk"};
  const size_t count_trees = sizeof trees / sizeof *trees - !on_disk;
  char *text = 0;
  size_t size = 0;
  int count;
  leavings = open_memstream(&text, &size);
  if (!leavings) return 0;
  char **names = names_in("/proc", &count, 0);
  for (int i = 0; i < count; i++) {
    char path[300], label[300];
    snprintf(path, sizeof path, "/proc/%s/comm", names[i]);
    snprintf(label, sizeof label, "process %s", names[i]);
    // one that ends meanwhile is none
    if (names[i][0] >= '0' && names[i][0] <= '9' && !access(path, F_OK))
      file_lines(leavings, label, path, 0);
    free(names[i]);
  }
  free(names);
  file_lines(leavings, "mount", "/proc/self/mountinfo", 0);
  file_lines(leavings, "lock", "/proc/locks", 0);
  for (size_t i = 0; i < count_trees; i++)
    nftw(trees[i], leaving, 20, FTW_PHYS | FTW_ACTIONRETVAL);
  fclose(leavings);
  return text;
}

#endif
