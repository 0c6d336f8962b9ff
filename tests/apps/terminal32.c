// The 32-bit program of `terminal`: types into the terminal, and shows that a harmless request and
// a write go on working. It has no C library, which few machines have for 32 bits.
// Build: cc -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie -o terminal32 terminal32.c
//
// terminal32 MARK TTY NULL: descriptors 0 to 2, TTY and NULL; the report goes to descriptor 3.
#define WRITE 4
#define IOCTL 54
#define TIOCSTI 0x5412
#define TIOCLINUX 0x541c
#define FIONREAD 0x541b

static long call(long number, long a, long b, long c) {
#ifdef __i386__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
#else
  (void)number, (void)a, (void)b, (void)c;
  return -38;
#endif
}

static char *append(char *to, const char *text) {
  while (*text) *to++ = *text++;
  *to = 0;
  return to;
}

static char *append_number(char *to, unsigned value) {
  char digits[12], *digit = digits + sizeof digits - 1;
  *digit = 0;
  do *--digit = (char)('0' + value % 10);
  while (value /= 10);
  return append(to, digit);
}

static long number(const char *text) {
  long value = 0, sign = 1;
  if (*text == '-') sign = -1, text++;
  for (; *text; text++) value = 10 * value + (*text - '0');
  return sign * value;
}

static void tell(const char *attempt, const char *target, long result) {
  char line[128], *end = append(append(append(line, attempt), " "), target);
  end = append(append_number(append(end, " "), (unsigned)-result), "\n");
  call(WRITE, 3, (long)line, end - line);
}

static void attempt(const char *mark, const char *target, long fd) {
  char line[256], shift_keys = 6;
  append(append(append(append(append(line, ">/srv/alice/"), mark), ".typed-compat-"), target), "\n");
  long result = 0;
  for (char *byte = line; *byte && result == 0; byte++) result = call(IOCTL, fd, TIOCSTI, (long)byte);
  tell("compat", target, result);
  tell("linux-compat", target, call(IOCTL, fd, TIOCLINUX, (long)&shift_keys));
}

int begin(char **arguments) {
  int waiting;
  long null = number(arguments[3]);
  attempt(arguments[1], "0", 0);
  attempt(arguments[1], "1", 1);
  attempt(arguments[1], "2", 2);
  attempt(arguments[1], "tty", number(arguments[2]));
  attempt(arguments[1], "null", null);
  // A regular file's answer: the report's own.
  tell("compat-works", "ioctl", call(IOCTL, 3, FIONREAD, (long)&waiting));
  tell("compat-works", "write", call(WRITE, null, (long)"x", 1) - 1);
  return 0;
}

#ifdef __i386__
__asm__(
    ".globl _start\n"
    "_start: lea 4(%esp), %eax\n"
    "and $-16, %esp\n"
    "sub $12, %esp\n"
    "push %eax\n"
    "call begin\n"
    "mov %eax, %ebx\n"
    "mov $1, %eax\n"
    "int $0x80\n");
#endif
