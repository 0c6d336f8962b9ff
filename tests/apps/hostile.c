// What a hostile user can keep doing while others log in. Build: cc -o hostile hostile.c
//
// It says "ready" once it is at work, and stops at the end of its standard input.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: hostile swap A B     exchange the two names again and again\n"
    "       hostile move A B     rename the directory A to B and back again and again\n"
    "       hostile fuse DIR UID  mount a file system that never answers (root)\n"
    "       hostile mount FROM TO  bind in namespaces of one's own\n"
    "       hostile socket PATH  leave a socket there, and end\n"
    "       hostile look DIR FILE...  in a session: print mount points beneath DIR, and the files\n";

static void fail(const char *what) {
  fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void say_ready(void) {
  puts("ready");
  fflush(stdout);
}

static int is_over(int wait_ms) {
  struct pollfd in = {.fd = 0, .events = POLLIN};
  return poll(&in, 1, wait_ms) > 0;
}

static unsigned exchange(const char *a, const char *b) {
  if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) != 0) fail("renameat2");
  return 1;
}

static unsigned move(const char *a, const char *b) {
  if (rename(a, b) != 0 || rename(b, a) != 0) fail("rename");
  return 2;
}

static void again_and_again(unsigned (*act)(const char *, const char *), const char *a,
                            const char *b) {
  unsigned long count = act(a, b);
  say_ready();
  while (count % 1024 || !is_over(0)) count += act(a, b);
  printf("%lu times\n", count);
}

static void own_mount(const char *from, const char *to) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) fail("unshare");
  if (mount(from, to, NULL, MS_BIND, NULL) != 0) fail("mount");
  say_ready();
  while (!is_over(-1)) {
  }
}

static void fuse(const char *path, const char *uid) {
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) fail("/dev/fuse");
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%s,group_id=%s,allow_other",
           device, uid, uid);
  if (mount("hostile", path, "fuse.hostile", MS_NOSUID | MS_NODEV, options) != 0) fail("mount");
  say_ready();
  while (!is_over(-1)) {
  }
  umount2(path, MNT_DETACH);
}

static void show(const char *path) {
  char buffer[4096];
  int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, buffer, sizeof buffer);
  if (length > 0) fwrite(buffer, 1, length, stdout);
  if (file >= 0) close(file);
}

static void look(const char *beneath, char **files) {
  puts("in");
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  char line[8192], point[4096];
  while (mounts && fgets(line, sizeof line, mounts))
    if (sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 &&
        !strncmp(point, beneath, strlen(beneath)))
      printf("mount %s\n", point);
  for (; *files; files++) show(*files);
  puts("end");
}

static void make_socket(const char *path) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strncpy(name.sun_path, path, sizeof name.sun_path - 1);
  int made = socket(AF_UNIX, SOCK_STREAM, 0);
  if (made < 0 || bind(made, (struct sockaddr *)&name, sizeof name) != 0) fail(path);
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  if (!strcmp(verb, "swap") && argc == 4) again_and_again(exchange, argv[2], argv[3]);
  else if (!strcmp(verb, "move") && argc == 4) again_and_again(move, argv[2], argv[3]);
  else if (!strcmp(verb, "fuse") && argc == 4) fuse(argv[2], argv[3]);
  else if (!strcmp(verb, "mount") && argc == 4) own_mount(argv[2], argv[3]);
  else if (!strcmp(verb, "socket") && argc == 3) make_socket(argv[2]);
  else if (!strcmp(verb, "look") && argc > 2) look(argv[2], argv + 3);
  else {
    fputs(usage_text, stderr);
    return 2;
  }
  return 0;
}
