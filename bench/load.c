// The load generator: one thread, epoll, one JSON line on stdout.
//
//   load echo PORT [--size N] [--connections N] [--in-flight N] [--seconds S]
//   load lines PORT [--connections N] [--in-flight N] [--seconds S]              lines of 52 bytes, CR LF included
//   load request-reply-lines PORT --line-file F [--connections N] [--in-flight N] [--seconds S]
//   load churn PORT [--slots N] [--seconds S]
//   load udp PORT [--size N] [--connections N] [--in-flight N] [--seconds S]      datagrams; see load-udp.c
//   load frames PORT [...]           as lines, each frame with its length of 4 bytes in front: 52 bytes
//   load tls-echo PORT [...]         as echo, through TLS; see load-tls.c
//   load tls-handshakes PORT [--slots N] [--resume 0|1] [--seconds S]
//   load http PORT --target T --expect F [--upload N] [--connections N] [--seconds S]      see load-http.c
//   load http-fresh PORT --target T --expect F [--slots N] [--seconds S]          a connection for each request
//   load http2 PORT --target T --expect F [--connections N] [--in-flight N] [--seconds S]  over TLS; see load-http2.c
//   load memcache-set PORT [...]     as echo, with commands and answers of memcached; see load-memcache.c
//   load memcache-get PORT [...]
//   load websocket PORT [...]        as echo, in frames of a WebSocket; see load-websocket.c
//   load websocket-fan PORT [--connections N] [--seconds S]                       all are sent the same
//   load idle PORT [--connections N]                                  then commands on stdin: "echo", "close"
//
// What is sent is pseudo-random and position-dependent, and what comes back is compared with it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES_MAX = 128 * 1024, EVENTS_MAX = 512, STALL_MILLIS = 5000, LINE_BYTES = 52, SOURCES = 250 };

static uint16_t port;
static int connections = 50, in_flight = 1, slots = 64;
static size_t size_bytes = 64;
static double run_seconds = 1;
static const char *line_file;
static char buffer[READ_BYTES_MAX];

// Failing is always loud: a JSON line for the harness, a message, exit code 1.
static void fail(const char *format, ...) {
  char text[400];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  printf("{\"error\":\"%s\"}\n", text);
  fflush(stdout);
  exit(1);
}

static int64_t now_nanos(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void cpu_micros(int64_t *user, int64_t *system) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  *user = r.ru_utime.tv_sec * 1000000LL + r.ru_utime.tv_usec;
  *system = r.ru_stime.tv_sec * 1000000LL + r.ru_stime.tv_usec;
}

// ---- Latencies: 64 buckets for each power of two of nanoseconds, so within 1.6 %.

static uint64_t histogram[64 * 64], histogram_count;

static void record(int64_t nanos) {
  uint64_t v = nanos < 64 ? 64 : (uint64_t)nanos;
  int shift = 57 - __builtin_clzll(v);
  histogram[shift * 64 + (v >> shift) - 64]++;
  histogram_count++;
}

static double quantile_micros(double q) {
  uint64_t seen = 0, wanted = (uint64_t)(q * (double)histogram_count);
  for (int i = 0; i < 64 * 64; i++)
    if ((seen += histogram[i]) > wanted) return (double)((uint64_t)(64 + i % 64) << (i / 64)) / 1000;
  return 0;
}

// ---- The measured window: from `window_open` to the deadline; what still comes in afterwards counts only as `all`.

static int64_t window_start, window_end, user_at_start, system_at_start;
static int64_t messages, messages_all, bytes, ok_lines, other_lines, lost_datagrams;
static int running;

static void window_open(void) {
  cpu_micros(&user_at_start, &system_at_start);
  window_start = now_nanos();
  window_end = window_start + (int64_t)(run_seconds * 1e9);
  running = 1;
}

static int64_t user_used, system_used, closed_at;

static void window_close(int64_t now) {
  running = 0;
  closed_at = now;
  messages = messages_all;
  cpu_micros(&user_used, &system_used);
  user_used -= user_at_start;
  system_used -= system_at_start;
}

static void report(void) {
  double seconds = (double)(closed_at - window_start) / 1e9;
  int64_t user, system;
  cpu_micros(&user, &system);
  printf("{\"generator\":\"c\",\"messages\":%lld,\"messagesAll\":%lld,\"bytes\":%lld,\"seconds\":%.6f,"
         "\"userMicros\":%lld,\"systemMicros\":%lld,\"processMicros\":%lld,\"p50Micros\":%.1f,\"p99Micros\":%.1f,\"ok\":%lld,\"other\":%lld,\"lost\":%lld}\n",
         (long long)messages, (long long)messages_all, (long long)bytes, seconds, (long long)user_used,
         (long long)system_used, (long long)(user + system), quantile_micros(0.5), quantile_micros(0.99), (long long)ok_lines,
         (long long)other_lines, (long long)lost_datagrams);
  fflush(stdout);
}

// ---- Sockets.

static void raise_descriptor_limit(void) {
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  r.rlim_cur = r.rlim_max;
  setrlimit(RLIMIT_NOFILE, &r);
}

// A client socket from 127.0.0.(2 + source): many source addresses, or the 28,000 ephemeral ports of one run out.
static int client_socket(int source, int flags) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), on = 1;
  if (fd < 0) fail("socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)source % SOURCES);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) fail("bind: %s", strerror(errno));
  return fd;
}

static int dial(int fd) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(fd, (struct sockaddr *)&to, sizeof to);
}

// The server is a SOCKS 4 proxy, and this port of 127.0.0.1 its target; 0: it is none.
static int socks_to;
#define SOCKS_REQUEST_BYTES 9
#define SOCKS_REPLY_BYTES 8

static const char *socks_request(void) {
  static char bytes[SOCKS_REQUEST_BYTES] = {4, 1, 0, 0, 127, 0, 0, 1, 0};
  bytes[2] = (char)(socks_to >> 8);
  bytes[3] = (char)socks_to;
  return bytes;
}

static int dial_blocking(int source) {
  int fd = client_socket(source, 0), on = 1;
  char reply[SOCKS_REPLY_BYTES];
  if (dial(fd) < 0) fail("connect: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (socks_to == 0) return fd;
  if (send(fd, socks_request(), SOCKS_REQUEST_BYTES, MSG_NOSIGNAL) != SOCKS_REQUEST_BYTES) fail("socks: send");
  if (recv(fd, reply, sizeof reply, MSG_WAITALL) != sizeof reply || reply[1] != 90) fail("socks: not granted");
  return fd;
}

// ---- Messages: `units` of them one after another, written twice over so that most sends are one piece.

static char *pattern;
static size_t pattern_bytes, units, *unit_at;
static int replies; // 1: what comes back are lines of the server's own
// What comes back otherwise: what was sent, unless a mode says something else.
static const char *answers;
static size_t answers_bytes, answer_bytes; // of each

static uint32_t random_next(void) {
  static uint32_t state = 2463534242u;
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state;
}

static void pattern_double(void) {
  pattern = realloc(pattern, 2 * pattern_bytes);
  memcpy(pattern + pattern_bytes, pattern, pattern_bytes);
  answers = pattern, answers_bytes = pattern_bytes, answer_bytes = size_bytes;
}

static void pattern_random(int text) {
  units = READ_BYTES_MAX / size_bytes + 1;
  pattern_bytes = units * size_bytes;
  pattern = malloc(pattern_bytes);
  unit_at = malloc((units + 1) * sizeof *unit_at);
  for (size_t i = 0; i < pattern_bytes; i++) pattern[i] = (char)(text ? 'a' + random_next() % 26 : random_next());
  for (size_t i = 0; i <= units; i++) unit_at[i] = i * size_bytes;
  for (size_t i = 1; text && i <= units; i++) memcpy(pattern + i * size_bytes - 2, "\r\n", 2);
  pattern_double();
}

static void pattern_frames(void) {
  pattern_random(0);
  uint32_t length = htonl((uint32_t)size_bytes - 4);
  for (size_t i = 0; i < 2 * units; i++) memcpy(pattern + i * size_bytes, &length, 4);
}

static void pattern_from_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot read the line file: %s", strerror(errno));
  fseek(file, 0, SEEK_END);
  pattern_bytes = (size_t)ftell(file);
  rewind(file);
  pattern = malloc(pattern_bytes + 1);
  if (fread(pattern, 1, pattern_bytes, file) != pattern_bytes || pattern_bytes == 0) fail("the line file is empty");
  fclose(file);
  if (pattern[pattern_bytes - 1] != '\n') pattern[pattern_bytes++] = '\n';
  for (size_t i = 0; i < pattern_bytes; i++) units += pattern[i] == '\n';
  unit_at = malloc((units + 1) * sizeof *unit_at);
  size_t unit = 0;
  unit_at[0] = 0;
  for (size_t i = 0; i < pattern_bytes; i++)
    if (pattern[i] == '\n') unit_at[++unit] = i + 1;
  pattern_double();
}

// ---- Modes `echo`, `lines`, `request-reply-lines`: each connection keeps `in_flight` messages on their way.

typedef struct {
  int fd, want_write;
  size_t unit;        // next one to send
  size_t out, unsent; // position in the pattern, bytes still to send
  size_t in, partial; // position in the pattern expected next, bytes of an unfinished message
  char head[2];       // how an unfinished reply line begins
  uint32_t sent_count, received_count;
  int64_t *sent_at;   // by message number modulo in_flight
} Connection;

static int epoll;

static void flush(Connection *c) {
  while (c->unsent > 0) {
    size_t piece = 2 * pattern_bytes - c->out;
    if (piece > c->unsent) piece = c->unsent;
    ssize_t n = send(c->fd, pattern + c->out, piece, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) fail("send: %s", strerror(errno));
    c->out = (c->out + (size_t)n) % pattern_bytes;
    c->unsent -= (size_t)n;
  }
  int want = c->unsent > 0;
  if (want == c->want_write) return;
  struct epoll_event event = {.events = EPOLLIN | (want ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
  c->want_write = want;
}

static void send_messages(Connection *c, int count, int64_t now) {
  for (int i = 0; i < count; i++) {
    c->sent_at[c->sent_count++ % (uint32_t)in_flight] = now;
    c->unsent += unit_at[c->unit + 1] - unit_at[c->unit];
    if (++c->unit == units) c->unit = 0;
  }
  flush(c);
}

// Bytes that were lost, doubled or reordered shift all that follows: for large reads both ends suffice.
static int differs(const char *want, size_t n) {
  if (n <= 4096) return memcmp(want, buffer, n);
  return memcmp(want, buffer, 1024) || memcmp(want + n - 1024, buffer + n - 1024, 1024);
}

static int count_echoed(Connection *c, size_t n) {
  if (differs(answers + c->in, n)) fail("wrong echo: the bytes differ from what was sent");
  c->in = (c->in + n) % answers_bytes;
  c->partial += n;
  int done = (int)(c->partial / answer_bytes);
  c->partial %= answer_bytes;
  return done;
}

static int count_replies(Connection *c, size_t n) {
  int done = 0;
  for (char *at = buffer, *end = buffer + n; at < end;) {
    char *eol = memchr(at, '\n', (size_t)(end - at)), *stop = eol ? eol : end;
    for (char *p = at; p < stop && c->partial + (size_t)(p - at) < 2; p++) c->head[c->partial + (size_t)(p - at)] = *p;
    c->partial += (size_t)(stop - at);
    if (!eol) break;
    if (c->partial >= 2 && c->head[0] == 'o' && c->head[1] == 'k') ok_lines++;
    else other_lines++;
    done++;
    c->partial = 0;
    at = eol + 1;
  }
  return done;
}

static void received(Connection *c) {
  ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) fail("recv: %s", strerror(errno));
  if (n == 0) fail("the server closed a connection");
  int done = replies ? count_replies(c, (size_t)n) : count_echoed(c, (size_t)n);
  if (running) bytes += n;
  if ((uint32_t)done > c->sent_count - c->received_count) fail("more came back than was sent");
  if (done == 0) return;
  int64_t now = now_nanos();
  for (int i = 0; i < done; i++) {
    int64_t sent = c->sent_at[c->received_count++ % (uint32_t)in_flight];
    if (running) record(now - sent);
  }
  messages_all += done;
  if (running) send_messages(c, done, now);
}

static void run_messages(int (*open_one)(int source)) {
  Connection *all = calloc((size_t)connections, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < connections; i++) {
    Connection *c = &all[i];
    c->fd = open_one(0);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->sent_at = calloc((size_t)in_flight, sizeof *c->sent_at);
    c->unit = (size_t)i * units / (size_t)connections;
    c->out = unit_at[c->unit];
    c->in = c->unit * answer_bytes;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
  }
  window_open();
  for (int i = 0; i < connections; i++) send_messages(&all[i], in_flight, now_nanos());
  int64_t wanted = INT64_MAX; // known once the window is closed and nothing more is sent
  while (messages_all < wanted) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, STALL_MILLIS);
    if (n == 0) fail("stalled: no answer for %d ms after %lld messages", STALL_MILLIS, (long long)messages_all);
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) flush(c);
      if (events[i].events & ~(uint32_t)EPOLLOUT) received(c);
    }
    int64_t now = now_nanos();
    if (running && now >= window_end) {
      window_close(now);
      wanted = 0;
      for (int i = 0; i < connections; i++) wanted += all[i].sent_count - all[i].received_count;
      wanted += messages_all;
    }
  }
  for (int i = 0; i < connections; i++) {
    if (all[i].partial != 0 || recv(all[i].fd, buffer, 1, MSG_DONTWAIT) > 0) fail("more came back than was sent");
    close(all[i].fd);
  }
  report();
}

// ---- Mode `churn`: each slot connects, sends one byte, reads it back, closes; then the same again.

typedef struct {
  int fd, sent, granted;
  int64_t started_at;
} Slot;

static int churn_sources;

static void slot_send(Slot *s) {
  ssize_t n = s->granted ? send(s->fd, "x", 1, MSG_NOSIGNAL)
                         : send(s->fd, socks_request(), SOCKS_REQUEST_BYTES, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != ENOTCONN) fail("churn send: %s", strerror(errno));
  s->sent = n > 0;
}

// On loopback a connect is mostly complete when it returns, so that the byte can be sent at once.
static void slot_open(Slot *s) {
  s->started_at = now_nanos();
  for (int attempt = 0;; attempt++) {
    s->fd = client_socket(churn_sources++, SOCK_NONBLOCK);
    if (dial(s->fd) == 0 || errno == EINPROGRESS) break;
    if (errno != EADDRNOTAVAIL || attempt == SOURCES) fail("churn connect: %s", strerror(errno));
    close(s->fd);
  }
  s->granted = socks_to == 0;
  slot_send(s);
  struct epoll_event event = {.events = EPOLLIN | (s->sent ? 0 : EPOLLOUT), .data.ptr = s};
  epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
}

static void run_churn(void) {
  Slot *all = calloc((size_t)slots, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  int open = slots;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  churn_sources = (int)(getpid() % SOURCES);
  window_open();
  for (int i = 0; i < slots; i++) slot_open(&all[i]);
  while (open > 0) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, STALL_MILLIS);
    if (n == 0) fail("stalled: no answer for %d ms after %lld connections", STALL_MILLIS, (long long)messages_all);
    int64_t now = now_nanos();
    if (running && now >= window_end) window_close(now);
    for (int i = 0; i < n; i++) {
      Slot *s = events[i].data.ptr;
      if (!s->sent) {
        slot_send(s);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
        if (s->sent) epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &event);
        continue;
      }
      if (!s->granted) {
        char reply[SOCKS_REPLY_BYTES];
        if (recv(s->fd, reply, sizeof reply, 0) != sizeof reply || reply[1] != 90) fail("churn: not granted");
        s->granted = 1;
        slot_send(s);
        continue;
      }
      char byte[2];
      ssize_t got = recv(s->fd, byte, 2, 0);
      if (got < 0 && errno == EAGAIN) continue;
      if (got < 0) fail("churn recv: %s", strerror(errno));
      if (got != 1 || byte[0] != 'x') fail("churn: wrong echo (%d bytes)", (int)got);
      close(s->fd); // a plain close, FIN first from our side: the server sees a clean end of input
      messages_all++;
      if (running) {
        bytes++;
        record(now_nanos() - s->started_at);
        slot_open(s);
      } else open--;
    }
  }
  report();
}

#include "load-memcache.c"
#include "load-udp.c"
#include "load-http.c"
#include "load-websocket.c"
#ifdef WITH_TLS
#include "load-tls.c"
#include "load-http2.c"
#endif

// ---- Mode `idle`: opens connections, then obeys stdin.

static void echo_byte(int fd, const char *what) {
  char byte = 'x', back[2];
  if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) fail("idle send on %s: %s", what, strerror(errno));
  ssize_t n = recv(fd, back, 2, 0);
  if (n < 0) fail("idle recv on %s: %s", what, strerror(errno));
  if (n != 1 || back[0] != byte) fail("idle: wrong echo on %s (%d bytes)", what, (int)n);
}

static int idle_dial(int source) {
  int fd = dial_blocking(source);
  struct timeval limit = {.tv_sec = STALL_MILLIS / 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

static void run_idle(void) {
  int *fds = calloc((size_t)connections, sizeof *fds);
  int64_t started_at = now_nanos();
  // A byte echoed on one more connection after each batch gives the server time to accept: no backlog overflows.
  int probe = idle_dial(SOURCES - 1);
  for (int i = 0; i < connections; i++) {
    fds[i] = idle_dial(i % 8);
    if (i % 32 == 31) echo_byte(probe, "the probe"), echo_byte(probe, "the probe");
  }
  echo_byte(probe, "the probe");
  close(probe);
  printf("{\"open\":%d,\"seconds\":%.6f}\n", connections, (double)(now_nanos() - started_at) / 1e9);
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) && strncmp(line, "close", 5) != 0) {
    if (strncmp(line, "echo", 4) != 0) continue;
    for (int i = 0; i < connections; i++) echo_byte(fds[i], "an idle connection");
    printf("{\"echoed\":%d}\n", connections);
    fflush(stdout);
  }
  for (int i = 0; i < connections; i++) close(fds[i]);
  printf("{\"closed\":%d}\n", connections);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  int lines = strcmp(mode, "lines") == 0, frames = strcmp(mode, "frames") == 0;
  if (lines || frames) size_bytes = LINE_BYTES;
  port = (uint16_t)(argc > 2 ? atoi(argv[2]) : 0);
  for (int i = 3; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--size") == 0) size_bytes = (size_t)atol(value);
    else if (strcmp(argv[i], "--connections") == 0) connections = atoi(value);
    else if (strcmp(argv[i], "--in-flight") == 0) in_flight = atoi(value);
    else if (strcmp(argv[i], "--socks-to") == 0) socks_to = atoi(value);
    else if (strcmp(argv[i], "--slots") == 0) slots = atoi(value);
    else if (strcmp(argv[i], "--seconds") == 0) run_seconds = atof(value);
    else if (strcmp(argv[i], "--line-file") == 0) line_file = value;
    else if (strcmp(argv[i], "--target") == 0) target = value;
    else if (strcmp(argv[i], "--expect") == 0) expect_file = value;
    else if (strcmp(argv[i], "--upload") == 0) upload_bytes = (size_t)atol(value);
#ifdef WITH_TLS
    else if (strcmp(argv[i], "--resume") == 0) resume = atoi(value);
#endif
    else fail("unknown option: %s", argv[i]);
    i++;
  }
  if (size_bytes < 1 || connections < 1 || in_flight < 1 || slots < 1 || run_seconds <= 0) fail("an option is out of range");
  raise_descriptor_limit();
  if (lines || strcmp(mode, "echo") == 0) pattern_random(lines), run_messages(dial_blocking);
  else if (strcmp(mode, "request-reply-lines") == 0 && line_file) replies = 1, pattern_from_file(line_file), run_messages(dial_blocking);
  else if (strcmp(mode, "memcache-set") == 0) patterns_memcache(0), run_messages(dial_blocking);
  else if (strcmp(mode, "memcache-get") == 0) patterns_memcache(1), run_messages(dial_blocking);
  else if (strcmp(mode, "churn") == 0) run_churn();
  else if (strcmp(mode, "udp") == 0) run_udp();
  else if (frames) pattern_frames(), run_messages(dial_blocking);
#ifdef WITH_TLS
  else if (strcmp(mode, "tls-echo") == 0) pattern_random(0), run_tls_echo();
  else if (strcmp(mode, "tls-handshakes") == 0) run_handshakes();
  else if (strcmp(mode, "http2") == 0) run_http2();
#endif
  else if (strcmp(mode, "websocket") == 0) pattern_websocket(), run_messages(websocket_dial);
  else if (strcmp(mode, "websocket-fan") == 0) run_websocket_fan();
  else if (strcmp(mode, "http") == 0) run_http(0);
  else if (strcmp(mode, "http-fresh") == 0) run_http(1);
  else if (strcmp(mode, "idle") == 0) run_idle();
  else fail("usage: load echo|lines|frames|request-reply-lines|memcache-set|memcache-get|churn|udp|http|http-fresh|tls-echo|tls-handshakes|http2|websocket|websocket-fan|idle PORT [options]");
  return 0;
}
