// Mode `udp`, a part of load.c: each socket keeps `in_flight` datagrams on their way, each place in that window a
// ping-pong of its own. A datagram begins with its number, so that answers may come in any order. One that is not
// answered in LOST_MILLIS counts as lost and the place goes on; more than one lost in LOST_SHARE is a failure.

enum { UDP_BATCH = 64, LOST_MILLIS = 1000, LOST_SHARE = 100, NUMBER_BYTES = 4 };

typedef struct {
  int64_t sent_at; // 0: nothing is under way
  uint32_t number; // of the datagram under way: its place, and a window more for each that went before
} Place;

typedef struct {
  int fd;
  size_t first; // unit of the pattern that its number 0 carries
  Place *places;
} Port;

static int under_way;
static int64_t late_datagrams;

static char udp_in[UDP_BATCH][65536], *udp_out;
static struct mmsghdr udp_in_headers[UDP_BATCH], udp_out_headers[UDP_BATCH];
static struct iovec udp_in_parts[UDP_BATCH], udp_out_parts[UDP_BATCH];
static int udp_out_count;

static const char *udp_body(const Port *p, uint32_t number) {
  return pattern + unit_at[(p->first + number) % units] + NUMBER_BYTES;
}

static void udp_flush(Port *p) {
  for (int sent = 0; sent < udp_out_count;) {
    int n = sendmmsg(p->fd, udp_out_headers + sent, (unsigned)(udp_out_count - sent), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) break; // what stays behind counts as lost, later
    if (n < 0) fail("send: %s", strerror(errno));
    sent += n;
  }
  udp_out_count = 0;
}

static void udp_send(Port *p, Place *place, int64_t now) {
  if (udp_out_count == UDP_BATCH) udp_flush(p);
  char *to = udp_out_parts[udp_out_count++].iov_base;
  memcpy(to, &place->number, NUMBER_BYTES);
  memcpy(to + NUMBER_BYTES, udp_body(p, place->number), size_bytes - NUMBER_BYTES);
  place->sent_at = now;
  under_way++;
}

static void udp_next(Port *p, Place *place, int64_t now) {
  under_way--;
  place->sent_at = 0;
  place->number += (uint32_t)in_flight;
  if (running) udp_send(p, place, now);
}

static void udp_answered(Port *p, const char *at, size_t n, int64_t now) {
  uint32_t number;
  if (n != size_bytes) fail("wrong echo: %zu bytes, not %zu", n, size_bytes);
  memcpy(&number, at, NUMBER_BYTES);
  Place *place = &p->places[number % (uint32_t)in_flight];
  if (memcmp(at + NUMBER_BYTES, udp_body(p, number), n - NUMBER_BYTES)) fail("wrong echo: the bytes differ from what was sent");
  if (number > place->number || (number == place->number && place->sent_at == 0)) fail("more came back than was sent");
  if (number < place->number) { // counted as lost, and only late
    if (++late_datagrams > lost_datagrams) fail("more came back than was sent");
    return;
  }
  messages_all++;
  if (running) record(now - place->sent_at), bytes += (int64_t)n;
  udp_next(p, place, now);
}

static void udp_receive(Port *p) {
  int n = recvmmsg(p->fd, udp_in_headers, UDP_BATCH, MSG_DONTWAIT, NULL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0) fail("recv: %s", strerror(errno));
  int64_t now = now_nanos();
  for (int i = 0; i < n; i++) udp_answered(p, udp_in[i], udp_in_headers[i].msg_len, now);
  udp_flush(p);
}

static void udp_count_lost(Port *all, int64_t now) {
  for (Port *p = all; p < all + connections; p++) {
    for (Place *place = p->places; place < p->places + in_flight; place++) {
      if (place->sent_at == 0 || now - place->sent_at < LOST_MILLIS * 1000000LL) continue;
      lost_datagrams++;
      udp_next(p, place, now);
    }
    udp_flush(p);
  }
  if (lost_datagrams > 10 && lost_datagrams * LOST_SHARE > messages_all) {
    fail("%lld datagrams lost, %lld came back", (long long)lost_datagrams, (long long)messages_all);
  }
}

static int udp_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket: %s", strerror(errno));
  if (dial(fd) < 0) fail("connect: %s", strerror(errno));
  return fd;
}

static void run_udp(void) {
  if (size_bytes <= NUMBER_BYTES || size_bytes > 65507) fail("a datagram has 5 to 65507 bytes here");
  Port *all = calloc((size_t)connections, sizeof *all);
  struct epoll_event events[EVENTS_MAX];
  int64_t looked_at = 0;
  pattern_random(0);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  udp_out = malloc(UDP_BATCH * size_bytes);
  for (int i = 0; i < UDP_BATCH; i++) {
    udp_in_parts[i] = (struct iovec){.iov_base = udp_in[i], .iov_len = sizeof udp_in[i]};
    udp_out_parts[i] = (struct iovec){.iov_base = udp_out + (size_t)i * size_bytes, .iov_len = size_bytes};
    udp_in_headers[i].msg_hdr = (struct msghdr){.msg_iov = &udp_in_parts[i], .msg_iovlen = 1};
    udp_out_headers[i].msg_hdr = (struct msghdr){.msg_iov = &udp_out_parts[i], .msg_iovlen = 1};
  }
  for (int i = 0; i < connections; i++) {
    Port *p = &all[i];
    p->fd = udp_socket();
    p->first = (size_t)i * units / (size_t)connections;
    p->places = calloc((size_t)in_flight, sizeof *p->places);
    for (int k = 0; k < in_flight; k++) p->places[k].number = (uint32_t)k;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
    epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &event);
  }
  window_open();
  for (Port *p = all; p < all + connections; p++) {
    for (int k = 0; k < in_flight; k++) udp_send(p, &p->places[k], now_nanos());
    udp_flush(p);
  }
  while (running || under_way > 0) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, LOST_MILLIS / 5);
    for (int i = 0; i < n; i++) udp_receive(events[i].data.ptr);
    int64_t now = now_nanos();
    if (running && now >= window_end) window_close(now);
    if (now - looked_at < LOST_MILLIS * 200000LL) continue;
    looked_at = now;
    udp_count_lost(all, now);
  }
  if (messages_all == 0) fail("stalled: no answer");
  report();
}
