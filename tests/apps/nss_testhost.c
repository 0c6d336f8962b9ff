// A source of the name service (nsswitch.conf(5)) beside the files: accounts that only it knows,
// and subordinate ids for shadow's programs. Its data are files under /etc/testhost in the formats
// of passwd(5), group(5), subuid(5) and subgid(5).
// Build: cc -shared -fPIC, as libnss_testhost.so.2 and as libsubid_testhost.so
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum nss_status outcome(int error, int *errnop) {
  if (!error) return NSS_STATUS_SUCCESS;
  *errnop = error;
  // the caller comes again with a larger buffer
  return error == ERANGE ? NSS_STATUS_TRYAGAIN : NSS_STATUS_NOTFOUND;
}

// The first account with this name, or with this id if the name is null.
static enum nss_status find_user(const char *name, uid_t uid, struct passwd *found, char *buffer,
                                 size_t size, int *errnop) {
  struct passwd *one;
  int error = ENOENT;
  FILE *f = fopen("/etc/testhost/passwd", "re");
  if (!f) return NSS_STATUS_UNAVAIL;
  while (!(error = fgetpwent_r(f, found, buffer, size, &one)))
    if (name ? !strcmp(one->pw_name, name) : one->pw_uid == uid) break;
  fclose(f);
  return outcome(error, errnop);
}

static enum nss_status find_group(const char *name, gid_t gid, struct group *found, char *buffer,
                                  size_t size, int *errnop) {
  struct group *one;
  int error = ENOENT;
  FILE *f = fopen("/etc/testhost/group", "re");
  if (!f) return NSS_STATUS_UNAVAIL;
  while (!(error = fgetgrent_r(f, found, buffer, size, &one)))
    if (name ? !strcmp(one->gr_name, name) : one->gr_gid == gid) break;
  fclose(f);
  return outcome(error, errnop);
}

enum nss_status _nss_testhost_getpwnam_r(const char *name, struct passwd *found, char *buffer,
                                         size_t size, int *errnop) {
  return find_user(name, 0, found, buffer, size, errnop);
}

enum nss_status _nss_testhost_getpwuid_r(uid_t uid, struct passwd *found, char *buffer,
                                         size_t size, int *errnop) {
  return find_user(0, uid, found, buffer, size, errnop);
}

enum nss_status _nss_testhost_getgrnam_r(const char *name, struct group *found, char *buffer,
                                         size_t size, int *errnop) {
  return find_group(name, 0, found, buffer, size, errnop);
}

enum nss_status _nss_testhost_getgrgid_r(gid_t gid, struct group *found, char *buffer,
                                         size_t size, int *errnop) {
  return find_group(0, gid, found, buffer, size, errnop);
}

// shadow's interface for sources of subordinate ids (subid.h, ABI 4)
enum subid_type { ID_TYPE_UID = 1, ID_TYPE_GID = 2 };
enum subid_status { SUBID_SUCCESS, SUBID_UNKNOWN_USER, SUBID_ERROR_CONN, SUBID_ERROR };
struct subid_range {
  unsigned long start, count;
};

enum subid_status shadow_subid_list_owner_ranges(const char *owner, enum subid_type type,
                                                 struct subid_range **ranges, int *count) {
  char line[256], name[128];
  struct subid_range one;
  FILE *f = fopen(type == ID_TYPE_UID ? "/etc/testhost/subuid" : "/etc/testhost/subgid", "re");
  *ranges = 0;
  *count = 0;
  if (!f) return SUBID_ERROR_CONN;
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "%127[^:]:%lu:%lu", name, &one.start, &one.count) != 3) continue;
    if (strcmp(name, owner)) continue;
    struct subid_range *grown = realloc(*ranges, (*count + 1) * sizeof one);
    if (!grown) break;
    *ranges = grown;
    grown[(*count)++] = one;
  }
  fclose(f);
  return *count ? SUBID_SUCCESS : SUBID_UNKNOWN_USER;
}

enum subid_status shadow_subid_has_range(const char *owner, unsigned long start,
                                         unsigned long count, enum subid_type type, bool *result) {
  struct subid_range *ranges;
  int n;
  enum subid_status status = shadow_subid_list_owner_ranges(owner, type, &ranges, &n);
  *result = false;
  for (int i = 0; i < n; i++)
    *result |= start >= ranges[i].start && start + count <= ranges[i].start + ranges[i].count;
  free(ranges);
  return status;
}

enum subid_status shadow_subid_find_subid_owners(unsigned long id, enum subid_type type,
                                                 uid_t **uids, int *count) {
  (void)id;
  (void)type;
  *uids = 0;
  *count = 0;
  return SUBID_ERROR;
}

void shadow_subid_free(void *data) { free(data); }
