// Modes `tls-echo` and `tls-handshakes` of the load generator: part of load.c, where OpenSSL's headers are installed.
#include <openssl/err.h>
#include <openssl/ssl.h>

static int resume;
static SSL_CTX *tls;
static int64_t resumed_count;

static void tls_fail(const char *what) {
  unsigned long code = ERR_get_error();
  fail("%s: %s", what, code ? ERR_reason_error_string(code) : strerror(errno));
}

// 1: done, 0: wait for what `want` says, -1: the peer has closed.
static int tls_outcome(SSL *ssl, int result, uint32_t *want, const char *what) {
  if (result > 0) return 1;
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ: *want = EPOLLIN; return 0;
    case SSL_ERROR_WANT_WRITE: *want = EPOLLOUT; return 0;
    case SSL_ERROR_ZERO_RETURN: return -1;
    default: tls_fail(what); return -1;
  }
}

// ---- Mode `tls-handshakes`: each slot connects, shakes hands, has a byte echoed, closes; then the same again.

typedef struct {
  int fd;
  enum { HANDSHAKE, WRITE, READ } phase;
  SSL *ssl;
  SSL_SESSION *session; // the ticket for next time
  int64_t started_at;
} Handshake;

static int slot_index;

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  Handshake *s = SSL_get_ex_data(ssl, slot_index);
  SSL_SESSION_free(s->session);
  s->session = session;
  return 1; // ours now
}

static void tls_start(void) {
  tls = SSL_CTX_new(TLS_client_method());
  if (!tls) tls_fail("SSL_CTX_new");
  SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  slot_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  if (!resume) return;
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(tls, keep_session);
}

static void handshake_step(Handshake *s);

static void handshake_open(Handshake *s) {
  s->started_at = now_nanos();
  s->phase = HANDSHAKE;
  s->fd = client_socket(churn_sources++, SOCK_NONBLOCK);
  // Else the byte waits for the acknowledgement of our Finished, which a server delays that has nothing to say.
  int on = 1;
  setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (dial(s->fd) < 0 && errno != EINPROGRESS) fail("connect: %s", strerror(errno));
  s->ssl = SSL_new(tls);
  SSL_set_ex_data(s->ssl, slot_index, s);
  SSL_set_fd(s->ssl, s->fd);
  SSL_set_tlsext_host_name(s->ssl, "localhost");
  if (s->session) {
    // A copy, as OpenSSL uses a session of TLS 1.3 once, and Node gives no new ticket for a resumed one.
    SSL_SESSION *copy = SSL_SESSION_dup(s->session);
    SSL_set_session(s->ssl, copy);
    SSL_SESSION_free(copy);
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = s};
  epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
}

static int handshakes_open;

static void handshake_done(Handshake *s) {
  if (SSL_session_reused(s->ssl)) resumed_count++;
  SSL_shutdown(s->ssl); // our close_notify; the server's is not waited for
  SSL_free(s->ssl);
  close(s->fd);
  messages_all++;
  if (!running) {
    handshakes_open--;
    return;
  }
  bytes++;
  record(now_nanos() - s->started_at);
  handshake_open(s);
}

static void handshake_step(Handshake *s) {
  uint32_t want = 0;
  char byte = 'x';
  int result = 1;
  if (s->phase == HANDSHAKE && (result = tls_outcome(s->ssl, SSL_connect(s->ssl), &want, "handshake")) == 1) s->phase = WRITE;
  if (s->phase == WRITE && (result = tls_outcome(s->ssl, SSL_write(s->ssl, &byte, 1), &want, "write")) == 1) s->phase = READ;
  if (s->phase == READ && (result = tls_outcome(s->ssl, SSL_read(s->ssl, &byte, 1), &want, "read")) == 1) {
    if (byte != 'x') fail("wrong echo");
    return handshake_done(s);
  }
  if (result < 0) fail("the server closed a connection");
  struct epoll_event event = {.events = want, .data.ptr = s};
  epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &event);
}

static void run_handshakes(void) {
  Handshake *all = calloc((size_t)slots, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  epoll = epoll_create1(EPOLL_CLOEXEC);
  churn_sources = (int)(getpid() % SOURCES);
  tls_start();
  window_open();
  handshakes_open = slots;
  for (int i = 0; i < slots; i++) handshake_open(&all[i]);
  while (handshakes_open > 0) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, STALL_MILLIS);
    if (n == 0) fail("stalled: no answer for %d ms after %lld handshakes", STALL_MILLIS, (long long)messages_all);
    int64_t now = now_nanos();
    if (running && now >= window_end) window_close(now);
    for (int i = 0; i < n; i++) handshake_step(events[i].data.ptr);
  }
  // The first of each slot cannot be.
  if (resume && resumed_count < (messages_all - slots) * 9 / 10)
    fail("only %lld of %lld handshakes were resumed", (long long)resumed_count, (long long)messages_all);
  report();
}

// ---- Mode `tls-echo`: as `echo`, through TLS.

typedef struct {
  Connection plain; // its books; what is read goes to `received_bytes`
  SSL *ssl;
} Secured;

static void tls_flush(Secured *s) {
  Connection *c = &s->plain;
  uint32_t want = 0;
  while (c->unsent > 0) {
    size_t piece = 2 * pattern_bytes - c->out;
    if (piece > c->unsent) piece = c->unsent;
    int n = SSL_write(s->ssl, pattern + c->out, (int)piece);
    int outcome = tls_outcome(s->ssl, n, &want, "write");
    if (outcome < 0) fail("the server closed a connection");
    if (outcome == 0) break;
    c->out = (c->out + (size_t)n) % pattern_bytes;
    c->unsent -= (size_t)n;
  }
  int want_write = want == EPOLLOUT;
  if (want_write == c->want_write) return;
  struct epoll_event event = {.events = EPOLLIN | (want_write ? EPOLLOUT : 0), .data.ptr = s};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
  c->want_write = want_write;
}

static void tls_send(Secured *s, int count, int64_t now) {
  Connection *c = &s->plain;
  for (int i = 0; i < count; i++) {
    c->sent_at[c->sent_count++ % (uint32_t)in_flight] = now;
    c->unsent += unit_at[c->unit + 1] - unit_at[c->unit];
    if (++c->unit == units) c->unit = 0;
  }
  tls_flush(s);
}

static void tls_received(Secured *s) {
  Connection *c = &s->plain;
  uint32_t want;
  for (;;) {
    int n = SSL_read(s->ssl, buffer, sizeof buffer);
    int outcome = tls_outcome(s->ssl, n, &want, "read");
    if (outcome < 0) fail("the server closed a connection");
    if (outcome == 0) return;
    int done = count_echoed(c, (size_t)n);
    if (running) bytes += n;
    if ((uint32_t)done > c->sent_count - c->received_count) fail("more came back than was sent");
    if (done == 0) continue;
    int64_t now = now_nanos();
    for (int i = 0; i < done; i++) {
      int64_t sent = c->sent_at[c->received_count++ % (uint32_t)in_flight];
      if (running) record(now - sent);
    }
    messages_all += done;
    if (running) tls_send(s, done, now);
  }
}

static void run_tls_echo(void) {
  Secured *all = calloc((size_t)connections, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  epoll = epoll_create1(EPOLL_CLOEXEC);
  tls_start();
  for (int i = 0; i < connections; i++) {
    Connection *c = &all[i].plain;
    c->fd = dial_blocking(0);
    all[i].ssl = SSL_new(tls);
    SSL_set_fd(all[i].ssl, c->fd);
    SSL_set_tlsext_host_name(all[i].ssl, "localhost");
    if (SSL_connect(all[i].ssl) != 1) tls_fail("handshake");
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->sent_at = calloc((size_t)in_flight, sizeof *c->sent_at);
    c->unit = (size_t)i * units / (size_t)connections;
    c->out = c->in = unit_at[c->unit];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
  }
  window_open();
  for (int i = 0; i < connections; i++) tls_send(&all[i], in_flight, now_nanos());
  int64_t wanted = INT64_MAX;
  while (messages_all < wanted) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, STALL_MILLIS);
    if (n == 0) fail("stalled: no answer for %d ms after %lld messages", STALL_MILLIS, (long long)messages_all);
    for (int i = 0; i < n; i++) {
      Secured *s = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) tls_flush(s);
      if (events[i].events & ~(uint32_t)EPOLLOUT) tls_received(s);
    }
    int64_t now = now_nanos();
    if (running && now >= window_end) {
      window_close(now);
      wanted = messages_all;
      for (int i = 0; i < connections; i++) wanted += all[i].plain.sent_count - all[i].plain.received_count;
    }
  }
  for (int i = 0; i < connections; i++) {
    SSL_shutdown(all[i].ssl);
    close(all[i].plain.fd);
  }
  report();
}
