// What a hostile user can keep doing while others log in. Build: cc -o hostile hostile.c
//
// It says "ready" once it is at work, and stops at the end of its standard input.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
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
    "       hostile own DIR UID   the same, and for that user alone, as fusermount does it\n"
    "       hostile deaf DIR UID  the same for all, and it takes the questions\n"
    "       hostile liar DIR UID TO  one in which all is a directory of root's, and then a link\n"
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

static int mount_fuse(const char *path, const char *uid, const char *whose) {
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) fail("/dev/fuse");
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%s,group_id=%s%s", device, uid,
           uid, whose);
  if (mount("hostile", path, "fuse.hostile", MS_NOSUID | MS_NODEV, options) != 0) fail("mount");
  return device;
}

static void fuse(const char *path, const char *uid, const char *whose) {
  mount_fuse(path, uid, whose);
  say_ready();
  while (!is_over(-1)) {
  }
  umount2(path, MNT_DETACH);
}

static void answer(int device, uint64_t to, int error, const void *body, size_t length) {
  struct fuse_out_header head = {.len = sizeof head + length, .error = error, .unique = to};
  char buffer[512];
  memcpy(buffer, &head, sizeof head);
  if (length) memcpy(buffer + sizeof head, body, length);
  if (write(device, buffer, head.len) < 0 && errno != ENOENT) fail("write to /dev/fuse");
}

// Root's, and each time that it is asked for something else than before.
static struct fuse_attr something(uint64_t node) {
  static unsigned asked;
  struct fuse_attr attributes = {.ino = node, .nlink = 1, .uid = 0, .gid = 0, .mode = S_IFDIR | 0755};
  if (node != FUSE_ROOT_ID && ++asked % 2 == 0) attributes.mode = S_IFLNK | 0777;
  return attributes;
}

static void reply(int device, const struct fuse_in_header *in, const char *to) {
  static uint64_t node = FUSE_ROOT_ID;
  switch (in->opcode) {
    case FUSE_LOOKUP: {
      struct fuse_entry_out out = {.nodeid = ++node, .attr = something(node)};
      answer(device, in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_GETATTR: {
      struct fuse_attr_out out = {.attr = something(in->nodeid)};
      answer(device, in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_READLINK:
      answer(device, in->unique, 0, to, strlen(to));
      break;
    case FUSE_OPENDIR:
    case FUSE_OPEN: {
      struct fuse_open_out out = {.fh = 0};
      answer(device, in->unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
      break;
    case FUSE_READDIR:
    case FUSE_RELEASEDIR:
    case FUSE_RELEASE:
      answer(device, in->unique, 0, NULL, 0);
      break;
    default:
      answer(device, in->unique, -ENOSYS, NULL, 0);
  }
}

// A server that takes every question; without `to` it answers none but the first, about itself.
static void serve(const char *path, const char *uid, const char *to) {
  int device = mount_fuse(path, uid, ",allow_other");
  struct pollfd wait[2] = {{.fd = 0, .events = POLLIN}, {.fd = device, .events = POLLIN}};
  static char buffer[1 << 20];
  say_ready();
  while (poll(wait, 2, -1) > 0 && !wait[0].revents) {
    ssize_t length = read(device, buffer, sizeof buffer);
    if (length < (ssize_t)sizeof(struct fuse_in_header)) continue;
    const struct fuse_in_header *in = (const void *)buffer;
    if (in->opcode == FUSE_INIT) {
      struct fuse_init_out out = {.major = 7, .minor = 31, .max_write = 4096};
      answer(device, in->unique, 0, &out, sizeof out);
    } else if (to) {
      reply(device, in, to);
    }
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
  else if (!strcmp(verb, "fuse") && argc == 4) fuse(argv[2], argv[3], ",allow_other");
  else if (!strcmp(verb, "own") && argc == 4) fuse(argv[2], argv[3], "");
  else if (!strcmp(verb, "deaf") && argc == 4) serve(argv[2], argv[3], NULL);
  else if (!strcmp(verb, "liar") && argc == 5) serve(argv[2], argv[3], argv[4]);
  else if (!strcmp(verb, "mount") && argc == 4) own_mount(argv[2], argv[3]);
  else if (!strcmp(verb, "socket") && argc == 3) make_socket(argv[2]);
  else if (!strcmp(verb, "look") && argc > 2) look(argv[2], argv + 3);
  else {
    fputs(usage_text, stderr);
    return 2;
  }
  return 0;
}
