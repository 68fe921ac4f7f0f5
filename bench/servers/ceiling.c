// As little as an echo server can do, with epoll: what the machine and the generator allow at most.
// The contract is that of harness.ts: PORT in, `{"port":N}` out, stdin answers "cpu" and "stats", its end ends us.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 512, STALL_MILLIS = 5000 };

static char buffer[128 * 1024];

static void answer_stdin(void) {
  static char line[256];
  static size_t used;
  ssize_t n = read(0, line + used, sizeof line - used);
  if (n <= 0) exit(0);
  used += (size_t)n;
  for (char *eol; (eol = memchr(line, '\n', used)) != NULL;) {
    struct rusage r;
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%*d %ld", &pages) != 1) pages = 0;
    if (statm) fclose(statm);
    getrusage(RUSAGE_SELF, &r);
    printf("{\"userMicros\":%lld,\"systemMicros\":%lld,\"rssBytes\":%ld,\"heapUsedBytes\":null}\n",
           r.ru_utime.tv_sec * 1000000LL + r.ru_utime.tv_usec, r.ru_stime.tv_sec * 1000000LL + r.ru_stime.tv_usec,
           pages * sysconf(_SC_PAGESIZE));
    fflush(stdout);
    used -= (size_t)(eol + 1 - line);
    memmove(line, eol + 1, used);
  }
  if (used == sizeof line) exit(1);
}

static void echo(int fd) {
  ssize_t n = recv(fd, buffer, sizeof buffer, 0), done = 0;
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    close(fd);
    return;
  }
  while (done < n) {
    ssize_t sent = send(fd, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);
    if (sent > 0) done += sent;
    else if (errno == EAGAIN) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, STALL_MILLIS);
    else return; // the next read says why
  }
}

int main(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), fd;
  const char *wanted = getenv("PORT");
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(wanted ? wanted : "0"))};
  socklen_t at_bytes = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 511) < 0) {
    perror("listen");
    return 1;
  }
  getsockname(listener, (struct sockaddr *)&at, &at_bytes);
  struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN, .data.fd = listener};
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = 0;
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  printf("{\"port\":%d}\n", ntohs(at.sin_port));
  fflush(stdout);
  for (;;) {
    int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == 0) answer_stdin();
      else if (events[i].data.fd != listener) echo(events[i].data.fd);
      else
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
          event.data.fd = fd;
          epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
    }
  }
}
