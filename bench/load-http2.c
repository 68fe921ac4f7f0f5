// Mode `http2` of the load generator: part of load.c, where OpenSSL's headers are installed. Over TLS, `--in-flight` streams at a
// time on each connection; the answers are checked as in load-http.c. RFC 9113; of HPACK it needs a few bytes only.

enum { FRAME_HEADER = 9, FRAME_BYTES_MAX = 16384, STREAMS = 1 << 16, WINDOW_STEP = 1 << 19 };
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

typedef struct {
  uint32_t id;
  int is_ok; // its status was 200
  size_t in; // of its body, what has come
  int64_t sent_at;
} Stream;

typedef struct {
  int fd, want_write;
  SSL *ssl;
  uint32_t next_id;
  int open;              // streams
  size_t window_due;     // bytes that we have not allowed anew
  Stream *streams;       // by their number, modulo
  unsigned char *out;    // frames to be sent
  size_t out_bytes, out_at, out_max;
  unsigned char *in;     // an incomplete frame
  size_t in_bytes;
} Session;

static void put(Session *s, const void *data, size_t n) {
  if (s->out_bytes + n > s->out_max) s->out = realloc(s->out, s->out_max = 2 * (s->out_bytes + n));
  memcpy(s->out + s->out_bytes, data, n);
  s->out_bytes += n;
}

static void put_frame(Session *s, int type, int flags, uint32_t id, const void *payload, size_t n) {
  unsigned char head[FRAME_HEADER] = {(unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)type,
                                      (unsigned char)flags, (unsigned char)(id >> 24), (unsigned char)(id >> 16), (unsigned char)(id >> 8), (unsigned char)id};
  put(s, head, sizeof head);
  put(s, payload, n);
}

// The first request puts three fields into the table of the connection, all others name them (RFC 7541 §2.3.3, §6).
static void put_request(Session *s, int64_t now) {
  unsigned char block[512];
  size_t n = 0, length = strlen(target);
  if (length > 120) fail("the target is too long");
  block[n++] = 0x82, block[n++] = 0x87; // GET, https
  if (s->next_id == 1) {
    block[n++] = 0x41, block[n++] = 9, memcpy(block + n, "localhost", 9), n += 9;
    block[n++] = 0x44, block[n++] = (unsigned char)length, memcpy(block + n, target, length), n += length;
    block[n++] = 0x53, block[n++] = 3, memcpy(block + n, "*/*", 3), n += 3;
  } else block[n++] = 0x80 | 64, block[n++] = 0x80 | 63, block[n++] = 0x80 | 62;
  Stream *stream = &s->streams[s->next_id / 2 % STREAMS];
  if (stream->id != 0) fail("a request waits while %d others were answered", STREAMS);
  *stream = (Stream){.id = s->next_id, .sent_at = now};
  put_frame(s, HEADERS, END_STREAM | END_HEADERS, s->next_id, block, n);
  s->next_id += 2;
  s->open++;
}

static void session_flush(Session *s) {
  uint32_t want = 0;
  while (s->out_at < s->out_bytes) {
    int n = SSL_write(s->ssl, s->out + s->out_at, (int)(s->out_bytes - s->out_at));
    int outcome = tls_outcome(s->ssl, n, &want, "write");
    if (outcome < 0) fail("the server closed a connection");
    if (outcome == 0) break;
    s->out_at += (size_t)n;
  }
  if (s->out_at == s->out_bytes) s->out_at = s->out_bytes = 0;
  int want_write = want == EPOLLOUT;
  if (want_write == s->want_write) return;
  struct epoll_event event = {.events = EPOLLIN | (want_write ? EPOLLOUT : 0), .data.ptr = s};
  epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &event);
  s->want_write = want_write;
}

static void stream_ended(Session *s, Stream *stream) {
  int64_t now = now_nanos();
  if (!stream->is_ok || stream->in != expected_bytes) fail("an answer is no 200, or not the length that is expected");
  stream->id = 0;
  s->open--;
  messages_all++;
  if (!running) return;
  record(now - stream->sent_at);
  put_request(s, now);
}

static void frame_data(Session *s, Stream *stream, const unsigned char *payload, size_t n) {
  if (n > expected_bytes - stream->in || memcmp(expected + stream->in, payload, n)) fail("wrong answer: the bytes differ from those expected");
  stream->in += n;
  if ((s->window_due += n) < WINDOW_STEP) return;
  unsigned char more[4] = {0, (unsigned char)(s->window_due >> 16), (unsigned char)(s->window_due >> 8), (unsigned char)s->window_due};
  put_frame(s, WINDOW_UPDATE, 0, 0, more, 4);
  s->window_due = 0;
}

static void frame_take(Session *s, int type, int flags, uint32_t id, const unsigned char *payload, size_t n) {
  if (type == SETTINGS && !(flags & ACK)) put_frame(s, SETTINGS, ACK, 0, NULL, 0);
  if (type == PING && !(flags & ACK)) put_frame(s, PING, ACK, 0, payload, n);
  if (type == GOAWAY || type == RST_STREAM) fail("the server ended a %s", type == GOAWAY ? "connection" : "stream");
  if (type != DATA && type != HEADERS) return;
  Stream *stream = &s->streams[id / 2 % STREAMS];
  if (stream->id != id) fail("an answer to nothing");
  if (flags & PADDED) fail("padding is not understood here");
  if (type == DATA) frame_data(s, stream, payload, n);
  else {
    // Behind changes of the table's size: the field ":status: 200" by its number.
    size_t at = 0;
    while (at < n && (payload[at] & 0xe0) == 0x20) for (at++; at < n && (payload[at - 1] & 0x1f) == 0x1f && payload[at] & 0x80; at++);
    stream->is_ok = at < n && payload[at] == 0x88;
  }
  if (flags & END_STREAM) stream_ended(s, stream);
}

static void session_received(Session *s) {
  uint32_t want;
  for (;;) {
    int n = SSL_read(s->ssl, s->in + s->in_bytes, (int)(READ_BYTES_MAX - s->in_bytes));
    int outcome = tls_outcome(s->ssl, n, &want, "read");
    if (outcome < 0) fail("the server closed a connection");
    if (outcome == 0) break;
    if (running) bytes += n;
    s->in_bytes += (size_t)n;
    size_t at = 0;
    while (s->in_bytes - at >= FRAME_HEADER) {
      const unsigned char *head = s->in + at;
      size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
      uint32_t id = (uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
      if (length > FRAME_BYTES_MAX) fail("a frame is too long");
      if (s->in_bytes - at < FRAME_HEADER + length) break;
      frame_take(s, head[3], head[4], id, head + FRAME_HEADER, length);
      at += FRAME_HEADER + length;
    }
    memmove(s->in, s->in + at, s->in_bytes -= at);
  }
  session_flush(s);
}

static void session_open(Session *s) {
  const unsigned char *protocol;
  unsigned protocol_bytes;
  // No push, and windows of 1 GiB for streams and the connection.
  static const unsigned char settings[] = {0, 2, 0, 0, 0, 0, 0, 4, 0x40, 0, 0, 0}, window[] = {0x3f, 0xff, 0, 0};
  s->fd = dial_blocking(0);
  s->ssl = SSL_new(tls);
  SSL_set_fd(s->ssl, s->fd);
  SSL_set_tlsext_host_name(s->ssl, "localhost");
  if (SSL_connect(s->ssl) != 1) tls_fail("handshake");
  SSL_get0_alpn_selected(s->ssl, &protocol, &protocol_bytes);
  if (protocol_bytes != 2 || memcmp(protocol, "h2", 2)) fail("the server does not speak HTTP/2");
  fcntl(s->fd, F_SETFL, O_NONBLOCK);
  s->streams = calloc(STREAMS, sizeof *s->streams);
  s->in = malloc(READ_BYTES_MAX);
  s->next_id = 1;
  put(s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
  put_frame(s, SETTINGS, 0, 0, settings, sizeof settings);
  put_frame(s, WINDOW_UPDATE, 0, 0, window, sizeof window);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
  epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
}

static void run_http2(void) {
  Session *all = calloc((size_t)connections, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  int open = 1;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  expect_from_file();
  tls_start();
  if (SSL_CTX_set_alpn_protos(tls, (const unsigned char *)"\x02h2", 3) != 0) tls_fail("ALPN");
  for (int i = 0; i < connections; i++) session_open(&all[i]);
  window_open();
  for (int i = 0; i < connections; i++) {
    for (int k = 0; k < in_flight; k++) put_request(&all[i], now_nanos());
    session_flush(&all[i]);
  }
  while (open > 0) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, STALL_MILLIS);
    if (n == 0) fail("stalled: no answer for %d ms after %lld requests", STALL_MILLIS, (long long)messages_all);
    int64_t now = now_nanos();
    if (running && now >= window_end) window_close(now);
    for (int i = 0; i < n; i++) {
      Session *s = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) session_flush(s);
      if (events[i].events & ~(uint32_t)EPOLLOUT) session_received(s);
    }
    open = 0;
    for (int i = 0; i < connections; i++) open += all[i].open;
  }
  for (int i = 0; i < connections; i++) {
    SSL_shutdown(all[i].ssl);
    close(all[i].fd);
  }
  report();
}
