/*
 * Datagrams between network namespaces, sent, answered and counted by one process: in User-Mode Linux a
 * change between processes costs more than all the rest.
 *
 *   probe NAMESPACE ADDRESS NAMESPACE ADDRESS ...     (files of namespaces, IPv4 addresses)
 *
 * Commands come on stdin, one a line; each is answered by one line of JSON on stdout:
 *
 *   loss COUNT EVERY_US WAIT_MS    COUNT datagrams in each direction of each link, one every EVERY_US on
 *                                  average; then [{"from":I,"to":J,"sent":N,"arrived":N},...]
 *   rtt COUNT EVERY_US WAIT_MS     COUNT round trips on each link; then, in ascending order,
 *                                  [{"from":I,"to":J,"us":[N,...]},...]
 *
 * cc -O2 -o probe probe.c; Linux, root.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_ENDS 8
#define MAX_COUNT 1000000
#define MAX_LINE_BYTES 256
#define PORT 7991
#define RECEIVE_BUFFER_BYTES (8 * 1024 * 1024)
/* Datagrams that are taken by one system call. */
#define BATCH 64
/* Datagrams of one direction that are sent at once: less than the shortest queue of any profile holds. */
#define BURST 8
#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull

enum kind { ONE_WAY, PING, PONG };

struct datagram {
  uint16_t run;  /* what is late from the run before does not count */
  uint8_t kind;
  uint8_t from;
  uint32_t number;
};

struct end {
  int socket;
  struct sockaddr_in address;
};

static struct end ends[MAX_ENDS];
static int end_count;
static uint16_t run;

/* Which numbers have come, by direction: a datagram that comes twice counts once. */
static uint8_t *seen[MAX_ENDS][MAX_ENDS];
static uint32_t arrived[MAX_ENDS][MAX_ENDS];
/* Of each link, from the lesser end to the greater, when a number was sent. */
static uint64_t *sent_at[MAX_ENDS][MAX_ENDS];

/* Of each link, how long its round trips took, as they came. */
static uint32_t *trip_us[MAX_ENDS][MAX_ENDS];

static void fail(const char *what) {
  fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void *room_for(size_t count, size_t size) {
  void *room = calloc(count, size);
  if (room == NULL) fail("memory");
  return room;
}

/* A socket belongs to the namespace in which it was made. */
static void open_end(const char *namespace, const char *address) {
  struct end *end = &ends[end_count++];
  int file = open(namespace, O_RDONLY | O_CLOEXEC);
  if (file < 0 || setns(file, CLONE_NEWNET) < 0) fail(namespace);
  close(file);
  end->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (end->socket < 0) fail("socket");
  int bytes = RECEIVE_BUFFER_BYTES;
  if (setsockopt(end->socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0) fail("buffer");
  end->address.sin_family = AF_INET;
  end->address.sin_port = htons(PORT);
  if (inet_pton(AF_INET, address, &end->address.sin_addr) != 1) fail(address);
  if (bind(end->socket, (struct sockaddr *)&end->address, sizeof end->address) < 0) fail("bind");
}

static void send_one(int from, int to, enum kind kind, uint32_t number) {
  struct datagram datagram = {.run = run, .kind = kind, .from = from, .number = number};
  const struct sockaddr_in *address = &ends[to].address;
  /* A queue that is full refuses a datagram here; it counts as sent, and as lost. */
  sendto(ends[from].socket, &datagram, sizeof datagram, 0, (struct sockaddr *)address, sizeof *address);
}

static void take(int at, const struct datagram *datagram, uint64_t now, uint32_t count) {
  int from = datagram->from;
  uint32_t number = datagram->number;
  if (datagram->run != run || from >= end_count || number >= count) return;
  if (datagram->kind == PING) {
    send_one(at, from, PONG, number);
    return;
  }
  if (seen[from][at][number]) return;
  seen[from][at][number] = 1;
  arrived[from][at] += 1;
  if (datagram->kind == ONE_WAY) return;
  trip_us[at][from][arrived[from][at] - 1] = (now - sent_at[at][from][number]) / NS_PER_US;
}

static void take_all(int at, uint32_t count) {
  struct datagram datagrams[BATCH];
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){&datagrams[i], sizeof datagrams[i]};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (;;) {
    int got = recvmmsg(ends[at].socket, messages, BATCH, 0, NULL);
    uint64_t now = now_ns();
    for (int i = 0; i < got; i++) {
      if (messages[i].msg_len == sizeof datagrams[i]) take(at, &datagrams[i], now, count);
    }
    if (got < BATCH) return;
  }
}

/* Takes what comes until then. */
static void wait_until(uint64_t until, uint32_t count) {
  for (;;) {
    struct pollfd polled[MAX_ENDS];
    for (int i = 0; i < end_count; i++) polled[i] = (struct pollfd){ends[i].socket, POLLIN, 0};
    uint64_t now = now_ns();
    uint64_t left = until > now ? until - now : 0;
    struct timespec wait = {left / 1000000000ull, left % 1000000000ull};
    if (ppoll(polled, end_count, &wait, NULL) < 0 && errno != EINTR) fail("ppoll");
    for (int i = 0; i < end_count; i++) {
      if (polled[i].revents & POLLIN) take_all(i, count);
    }
    if (now >= until) return;
  }
}

static void begin(uint32_t count) {
  run += 1;
  memset(arrived, 0, sizeof arrived);
  for (int i = 0; i < end_count; i++) {
    for (int j = 0; j < end_count; j++) {
      free(seen[i][j]);
      free(sent_at[i][j]);
      free(trip_us[i][j]);
      seen[i][j] = room_for(count, sizeof *seen[i][j]);
      sent_at[i][j] = room_for(count, sizeof *sent_at[i][j]);
      trip_us[i][j] = room_for(count, sizeof *trip_us[i][j]);
    }
  }
}

/* The next datagrams from one end to all others, by one system call. */
static void send_burst(int from, uint32_t number, uint32_t burst) {
  struct datagram datagrams[BURST];
  struct iovec parts[BURST];
  struct mmsghdr messages[BURST * MAX_ENDS];
  memset(messages, 0, sizeof messages);
  int count = 0;
  for (uint32_t i = 0; i < burst; i++) {
    datagrams[i] = (struct datagram){.run = run, .kind = ONE_WAY, .from = from, .number = number + i};
    parts[i] = (struct iovec){&datagrams[i], sizeof datagrams[i]};
    for (int to = 0; to < end_count; to++) {
      if (to == from) continue;
      struct msghdr *message = &messages[count++].msg_hdr;
      message->msg_name = &ends[to].address;
      message->msg_namelen = sizeof ends[to].address;
      message->msg_iov = &parts[i];
      message->msg_iovlen = 1;
    }
  }
  for (int sent = 0; sent < count;) {
    int more = sendmmsg(ends[from].socket, messages + sent, count - sent, 0);
    /* A queue that is full refuses one here; it counts as sent, and as lost. */
    sent += more > 0 ? more : 1;
  }
}

static void measure_loss(uint32_t count, uint64_t every_ns, uint64_t wait_ns) {
  uint64_t due = now_ns();
  for (uint32_t number = 0; number < count; number += BURST, due += BURST * every_ns) {
    /* Who is late does not catch up: on a slow link what is sent at once is dropped. */
    uint64_t now = now_ns();
    if (now > due) due = now;
    wait_until(due, count);
    uint32_t burst = count - number < BURST ? count - number : BURST;
    for (int from = 0; from < end_count; from++) send_burst(from, number, burst);
  }
  wait_until(now_ns() + wait_ns, count);
  const char *between = "[";
  for (int from = 0; from < end_count; from++) {
    for (int to = 0; to < end_count; to++) {
      if (from == to) continue;
      printf("%s{\"from\":%d,\"to\":%d,\"sent\":%" PRIu32 ",\"arrived\":%" PRIu32 "}", between, from, to,
             count, arrived[from][to]);
      between = ",";
    }
  }
  printf("]\n");
}

static int ascending(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static void print_trips(int from, int to) {
  uint32_t *us = trip_us[from][to], count = arrived[to][from];
  qsort(us, count, sizeof *us, ascending);
  printf("{\"from\":%d,\"to\":%d,\"us\":[", from, to);
  for (uint32_t i = 0; i < count; i++) printf("%s%" PRIu32, i == 0 ? "" : ",", us[i]);
  printf("]}");
}

static void measure_rtt(uint32_t count, uint64_t every_ns, uint64_t wait_ns) {
  int links = end_count * (end_count - 1) / 2;
  uint64_t due = now_ns();
  for (uint32_t number = 0; number < count; number++) {
    for (int from = 0; from < end_count; from++) {
      for (int to = from + 1; to < end_count; to++, due += every_ns / links) {
        wait_until(due, count);
        sent_at[from][to][number] = now_ns();
        send_one(from, to, PING, number);
      }
    }
  }
  wait_until(now_ns() + wait_ns, count);
  for (int from = 0; from < end_count; from++) {
    for (int to = from + 1; to < end_count; to++) {
      printf("%s", from == 0 && to == 1 ? "[" : ",");
      print_trips(from, to);
    }
  }
  printf("]\n");
}

int main(int argc, char **argv) {
  if (argc < 5 || argc % 2 == 0 || argc > 1 + 2 * MAX_ENDS) {
    fprintf(stderr, "probe: expected NAMESPACE ADDRESS, for 2 to %d of them\n", MAX_ENDS);
    return 2;
  }
  for (int i = 1; i < argc; i += 2) open_end(argv[i], argv[i + 1]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  char line[MAX_LINE_BYTES];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char what[8];
    unsigned long count, every_us, wait_ms;
    if (sscanf(line, "%7s %lu %lu %lu", what, &count, &every_us, &wait_ms) != 4 || count == 0 ||
        count > MAX_COUNT) {
      fprintf(stderr, "probe: expected loss or rtt COUNT EVERY_US WAIT_MS, not %s", line);
      return 2;
    }
    begin(count);
    if (strcmp(what, "loss") == 0) measure_loss(count, every_us * NS_PER_US, wait_ms * NS_PER_MS);
    else measure_rtt(count, every_us * NS_PER_US, wait_ms * NS_PER_MS);
  }
  return 0;
}
