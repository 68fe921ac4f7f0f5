// Modes `http` and `http-fresh` of the load generator: part of load.c. One request at a time on each connection, over and over;
// each answer must be a 200 with a `Content-Length`, and its body the contents of the file `--expect`.
//
// `http-fresh`: a connection for each request (`Connection: close`), which is over when the server has ended it.

enum { HEADER_BYTES_MAX = 8192 };

static const char *target = "/", *expect_file;
static size_t upload_bytes;
static char *request, *expected;
static size_t request_bytes, expected_bytes;

static void expect_from_file(void) {
  FILE *file = expect_file ? fopen(expect_file, "rb") : NULL;
  if (!file) fail("cannot read the file of what is expected");
  fseek(file, 0, SEEK_END);
  expected_bytes = (size_t)ftell(file);
  rewind(file);
  expected = malloc(expected_bytes + 1);
  if (expected_bytes == 0 || fread(expected, 1, expected_bytes, file) != expected_bytes) fail("the file of what is expected is empty");
  fclose(file);
}

static void request_for_http1(int fresh) {
  char length[128] = "";
  if (upload_bytes > 0) snprintf(length, sizeof length, "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n", upload_bytes);
  request = malloc(strlen(target) + upload_bytes + 512);
  request_bytes = (size_t)sprintf(request, "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n%s%s\r\n", upload_bytes > 0 ? "POST" : "GET",
                                  target, length, fresh ? "Connection: close\r\n" : "");
  for (size_t i = 0; i < upload_bytes; i++) request[request_bytes++] = (char)random_next();
}

typedef struct {
  int fd, want_write;
  int64_t started_at;
  size_t out;          // of the request, what was sent
  size_t header_bytes; // of an answer whose header is not complete
  int in_body, is_answered;
  size_t in; // of its body, what has come
  char header[HEADER_BYTES_MAX];
} Client;

static int http_sources, is_fresh, clients_open;

static void client_watch(Client *c, int operation, int want_write) {
  struct epoll_event event = {.events = EPOLLIN | (want_write ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll, operation, c->fd, &event);
  c->want_write = want_write;
}

static void client_flush(Client *c) {
  while (c->out < request_bytes) {
    ssize_t n = send(c->fd, request + c->out, request_bytes - c->out, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
    if (n < 0) fail("send: %s", strerror(errno));
    c->out += (size_t)n;
  }
  int want = c->out < request_bytes;
  if (want != c->want_write) client_watch(c, EPOLL_CTL_MOD, want);
}

static void client_ask(Client *c) {
  c->out = c->header_bytes = c->in = 0;
  c->in_body = c->is_answered = 0;
  c->started_at = now_nanos();
  client_flush(c);
}

static void client_open(Client *c) {
  int64_t started_at = now_nanos();
  int on = 1;
  for (int attempt = 0;; attempt++) {
    c->fd = client_socket(is_fresh ? http_sources++ : 0, SOCK_NONBLOCK);
    if (dial(c->fd) == 0 || errno == EINPROGRESS) break;
    if (errno != EADDRNOTAVAIL || attempt == SOURCES) fail("connect: %s", strerror(errno));
    close(c->fd);
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  client_watch(c, EPOLL_CTL_ADD, 0);
  client_ask(c);
  c->started_at = started_at;
}

static void client_done(Client *c) {
  messages_all++;
  if (running) record(now_nanos() - c->started_at);
  if (is_fresh) close(c->fd);
  if (!running) clients_open--;
  else if (is_fresh) client_open(c);
  else client_ask(c);
}

// What the header says, once it is whole: NUL-terminated, without the empty line.
static void header_check(const char *header) {
  if (strncmp(header, "HTTP/1.1 200 ", 13) != 0) fail("not a 200: %.60s", header);
  const char *at = strcasestr(header, "\r\ncontent-length:");
  if (!at || strtoull(at + 17, NULL, 10) != expected_bytes) fail("not the length that is expected");
}

// The header, and whatever of the body came with it: how much of `n` bytes belonged to the header.
static size_t header_take(Client *c, size_t n) {
  size_t before = c->header_bytes, room = sizeof c->header - 1 - before, piece = n < room ? n : room;
  memcpy(c->header + before, buffer, piece);
  c->header[before + piece] = 0;
  size_t from = before > 3 ? before - 3 : 0;
  char *end = strstr(c->header + from, "\r\n\r\n");
  if (!end) {
    if (piece == room) fail("the header is too long");
    c->header_bytes += piece;
    return n;
  }
  *end = 0;
  header_check(c->header);
  c->in_body = 1;
  return (size_t)(end + 4 - c->header) - before;
}

static void client_received(Client *c) {
  ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) fail("recv: %s", strerror(errno));
  if (got == 0 && c->is_answered && is_fresh) return client_done(c);
  if (got == 0) fail("the server closed a connection");
  size_t n = (size_t)got, at = c->in_body ? 0 : header_take(c, n);
  if (running) bytes += got;
  size_t body = n - at;
  if (body > expected_bytes - c->in) fail("more came back than was asked for");
  // As with echoes: both ends of what is long.
  size_t ends = body <= 4096 ? body : 1024;
  if (memcmp(expected + c->in, buffer + at, ends) || memcmp(expected + c->in + body - ends, buffer + n - ends, ends))
    fail("wrong answer: the bytes differ from those expected");
  c->in += body;
  if (!c->in_body || c->in < expected_bytes) return;
  c->is_answered = 1;
  if (!is_fresh) client_done(c);
}

static void run_http(int fresh) {
  is_fresh = fresh;
  int count = clients_open = fresh ? slots : connections;
  Client *all = calloc((size_t)count, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  epoll = epoll_create1(EPOLL_CLOEXEC);
  http_sources = (int)(getpid() % SOURCES);
  expect_from_file();
  request_for_http1(fresh);
  window_open();
  for (int i = 0; i < count; i++) client_open(&all[i]);
  while (clients_open > 0) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, STALL_MILLIS);
    if (n == 0) fail("stalled: no answer for %d ms after %lld requests", STALL_MILLIS, (long long)messages_all);
    int64_t now = now_nanos();
    if (running && now >= window_end) window_close(now);
    for (int i = 0; i < n; i++) {
      Client *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) client_flush(c);
      if (events[i].events & ~(uint32_t)EPOLLOUT) client_received(c);
    }
  }
  report();
}
