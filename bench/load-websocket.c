// Modes `websocket` and `websocket-fan` of the load generator: part of load.c. RFC 6455, messages of text of up to 125 bytes.
//
// `websocket`: as `echo`; what is sent is masked, what comes back is not.
// `websocket-fan`: the first connection asks ("fan N") for N messages of 100 times "x" to all, again when all have come.

enum { FAN_TIMES = 10, FAN_BYTES = 100, FRAME_HEAD = 2, MASK_BYTES = 4 };

static const char websocket_hello[] =
  "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

static int websocket_dial(int source) {
  static const char accepted[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  char head[HEADER_BYTES_MAX];
  size_t n = 0;
  int fd = dial_blocking(source);
  if (send(fd, websocket_hello, sizeof websocket_hello - 1, MSG_NOSIGNAL) < 0) fail("send: %s", strerror(errno));
  do {
    ssize_t got = recv(fd, head + n, sizeof head - 1 - n, 0);
    if (got <= 0) fail("the server closed a connection before the handshake was over");
    head[n += (size_t)got] = 0;
  } while (!strstr(head, "\r\n\r\n") && n < sizeof head - 1);
  if (strncmp(head, "HTTP/1.1 101 ", 13) != 0 || !strstr(head, accepted)) fail("no WebSocket: %.60s", head);
  if (strstr(head, "\r\n\r\n") + 4 != head + n) fail("more came back than was sent");
  return fd;
}

static size_t put_masked(char *at, const char *text, size_t n) {
  uint32_t mask = random_next();
  at[0] = (char)0x81, at[1] = (char)(0x80 | n);
  memcpy(at + FRAME_HEAD, &mask, MASK_BYTES);
  for (size_t i = 0; i < n; i++) at[FRAME_HEAD + MASK_BYTES + i] = text[i] ^ ((char *)&mask)[i % MASK_BYTES];
  return FRAME_HEAD + MASK_BYTES + n;
}

// The random lines as frames: masked to be sent, and as they come back.
static void pattern_websocket(void) {
  if (size_bytes > 125) fail("messages have at most 125 bytes here");
  pattern_random(1);
  size_t text_bytes = size_bytes;
  const char *text = pattern;
  char *back = malloc(2 * units * (FRAME_HEAD + text_bytes));
  pattern = malloc(units * (FRAME_HEAD + MASK_BYTES + text_bytes));
  pattern_bytes = 0;
  for (size_t i = 0; i < units; i++) {
    pattern_bytes += put_masked(pattern + pattern_bytes, text + i * text_bytes, text_bytes);
    unit_at[i + 1] = pattern_bytes;
  }
  pattern_double();
  answer_bytes = FRAME_HEAD + text_bytes;
  answers_bytes = units * answer_bytes;
  for (size_t i = 0; i < 2 * units; i++) {
    back[i * answer_bytes] = (char)0x81, back[i * answer_bytes + 1] = (char)text_bytes;
    memcpy(back + i * answer_bytes + FRAME_HEAD, text + i * text_bytes, text_bytes);
  }
  answers = back;
}

static int64_t fan_started_at;

static void fan_ask(int fd) {
  char text[16], frame[32];
  int length = sprintf(text, "fan %d", FAN_TIMES);
  size_t n = put_masked(frame, text, (size_t)length);
  fan_started_at = now_nanos();
  if (send(fd, frame, n, MSG_NOSIGNAL) != (ssize_t)n) fail("send: %s", strerror(errno));
}

static int fan_received(Connection *c) {
  ssize_t n = recv(c->fd, buffer, FAN_TIMES * answer_bytes + 1, 0);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n < 0) fail("recv: %s", strerror(errno));
  if (n == 0) fail("the server closed a connection");
  if (running) bytes += n;
  int done = count_echoed(c, (size_t)n);
  if ((c->received_count += (uint32_t)done) > c->sent_count) fail("more came back than was asked for");
  messages_all += done;
  if (running) for (int64_t now = now_nanos(), i = 0; i < done; i++) record(now - fan_started_at);
  return done;
}

static void run_websocket_fan(void) {
  Connection *all = calloc((size_t)connections, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  char *back = malloc(2 * (FRAME_HEAD + FAN_BYTES) * 64);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  answer_bytes = FRAME_HEAD + FAN_BYTES;
  answers_bytes = 64 * answer_bytes;
  for (size_t i = 0; i < 2 * 64; i++) {
    back[i * answer_bytes] = (char)0x81, back[i * answer_bytes + 1] = FAN_BYTES;
    memset(back + i * answer_bytes + FRAME_HEAD, 'x', FAN_BYTES);
  }
  answers = back;
  for (int i = 0; i < connections; i++) {
    all[i].fd = websocket_dial(i % 8);
    fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  // What many connections cost is not asked: the harness looks at the server's processor time now, and again at the report.
  char line[16];
  printf("{\"open\":%d}\n", connections);
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return;
  window_open();
  while (running) {
    int missing = FAN_TIMES * connections;
    for (int i = 0; i < connections; i++) all[i].sent_count += FAN_TIMES;
    fan_ask(all[0].fd);
    while (missing > 0) {
      int n = epoll_wait(epoll, events, EVENTS_MAX, STALL_MILLIS);
      if (n == 0) fail("stalled: %d messages did not come for %d ms", missing, STALL_MILLIS);
      for (int i = 0; i < n; i++) missing -= fan_received(events[i].data.ptr);
    }
    // Whole rounds only: the window ends with the one that goes beyond it.
    int64_t now = now_nanos();
    if (now >= window_end) window_close(now);
  }
  report();
  if (fgets(line, sizeof line, stdin)) fail("nothing more was to be said");
  for (int i = 0; i < connections; i++) close(all[i].fd);
}
