// As little as an echo server of datagrams can do: a batch in, the same batch out.
// The contract is that of harness.ts: PORT in, `{"port":N}` out, stdin answers "cpu" and "stats", its end ends us.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, BYTES_MAX = 65536 };

static char buffers[BATCH][BYTES_MAX];
static struct sockaddr_in names[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr headers[BATCH];

static void answer_stdin(void) {
  char line[256];
  struct rusage r;
  if (read(0, line, sizeof line) <= 0) exit(0);
  getrusage(RUSAGE_SELF, &r);
  printf("{\"userMicros\":%lld,\"systemMicros\":%lld,\"rssBytes\":0,\"heapUsedBytes\":null}\n",
         r.ru_utime.tv_sec * 1000000LL + r.ru_utime.tv_usec, r.ru_stime.tv_sec * 1000000LL + r.ru_stime.tv_usec);
  fflush(stdout);
}

static void echo(int fd) {
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){.iov_base = buffers[i], .iov_len = BYTES_MAX};
    headers[i].msg_hdr = (struct msghdr){
        .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &parts[i], .msg_iovlen = 1};
  }
  int n = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < n; i++) parts[i].iov_len = headers[i].msg_len;
  for (int sent = 0; sent < n;) {
    int done = sendmmsg(fd, headers + sent, (unsigned)(n - sent), 0);
    sent += done > 0 ? done : 1; // one that cannot be sent is lost
  }
}

int main(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const char *wanted = getenv("PORT");
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(wanted ? wanted : "0"))};
  socklen_t at_bytes = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
    perror("bind");
    return 1;
  }
  getsockname(fd, (struct sockaddr *)&at, &at_bytes);
  printf("{\"port\":%d}\n", ntohs(at.sin_port));
  fflush(stdout);
  struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  for (;;) {
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return 1;
    if (waits[1].revents) answer_stdin();
    if (waits[0].revents) echo(fd);
  }
}
