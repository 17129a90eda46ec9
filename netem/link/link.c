/*
 * An IP link that delays, paces and loses packets as it is told, for kernels with or without netem.
 *
 * It makes two network namespaces, a and b, with one TUN device ("link0") in each, and carries IP packets
 * between them: direction ab from a to b, ba back. Nobody names the namespaces; others enter them through
 * this process (nsenter --net=/proc/PID/fd/N), so that all is gone when this process and they have ended,
 * however they end. It ends itself when its stdin closes, which whoever started it cannot forget to do.
 *
 * Commands come on stdin, one a line; each is answered by one line of JSON on stdout:
 *
 *   set ab|ba|both KEY=VALUE ...   changes settings (struct settings below); seed=N restarts the dice
 *   drop ab|ba COUNT               loses exactly the next COUNT packets that enter
 *   stats                          what both directions have done since the last reset
 *   reset                          sets the counters to zero
 *
 * The way of a packet: duplicated? -> queue (dropped if it is full) -> sent at the rate -> lost? ->
 * delay and jitter -> out. A packet that is lost has used the link, as on a real one.
 *
 * cc -O2 -o link link.c; Linux, root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "link0"
#define MAX_PACKET_BYTES 65536
#define MAX_LINE_BYTES 4096
/* Packets under way in one direction; what comes above it is counted as a queue drop. */
#define MAX_UNDER_WAY 131072
/* Packets that are taken from one device before the others get their turn. */
#define BATCH 64
#define NS_PER_MS 1e6
#define NEVER UINT64_MAX

/* How one direction treats its packets. Times in ms, shares and chances from 0 to 1. */
struct settings {
  double delay_ms;   /* from the end of sending to arrival */
  double jitter_ms;  /* a packet takes up to this much more or less, but overtakes none */
  double rate_mbit;  /* 0: without limit */
  double queue_ms;   /* a packet that would wait longer for its turn is dropped */
  double loss;       /* chance for each packet, in the good state */
  double bad_enter;  /* Gilbert-Elliott: chance for each packet to change to the bad state ... */
  double bad_leave;  /* ... and back ... */
  double bad_loss;   /* ... and the loss in it */
  double reorder;    /* chance to be held back, so that others overtake ... */
  double reorder_ms; /* ... for up to so long */
  double duplicate;  /* chance to be sent twice */
};

struct packet {
  uint64_t due_ns;
  uint64_t order; /* of two that are due at once the first in comes first out */
  uint64_t entered_ns;
  uint32_t length;
  unsigned char bytes[];
};

struct counters {
  uint64_t packets, bytes;            /* that entered */
  uint64_t lost, told_lost;           /* by chance; by the command "drop" */
  uint64_t queue_dropped;             /* the queue was full */
  uint64_t delivered, delivered_bytes;
  uint64_t duplicated, reordered, refused; /* refused: the device did not take it */
  double delay_sum_ns, late_sum_ns;   /* time inside; of it, behind what was due */
};

struct direction {
  const char *name;
  int from, to;
  struct settings settings;
  struct counters counters;
  uint64_t dice;
  int bad;              /* the state of Gilbert-Elliott */
  uint64_t drop_next;
  uint64_t free_at_ns;  /* when the sender has sent all it has */
  uint64_t last_due_ns; /* jitter keeps the order */
  struct packet **heap;
  size_t under_way;
};

static struct direction directions[2] = {{.name = "ab"}, {.name = "ba"}};
static uint64_t next_order;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Uniform in [0, 1), from a counter that is scrambled (splitmix64): short, seedable, good enough for dice. */
static double roll(struct direction *d) {
  uint64_t z = d->dice += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* A chance of 0 rolls no dice, so that settings do not change the fate of packets they do not concern. */
static int happens(struct direction *d, double chance) {
  return chance > 0 && roll(d) < chance;
}

/* ---- packets under way: a heap by the time they are due ---- */

static int before(const struct packet *x, const struct packet *y) {
  return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->order < y->order;
}

static void push(struct direction *d, struct packet *packet) {
  size_t at = d->under_way++;
  for (; at > 0 && before(packet, d->heap[(at - 1) / 2]); at = (at - 1) / 2)
    d->heap[at] = d->heap[(at - 1) / 2];
  d->heap[at] = packet;
}

static struct packet *pop(struct direction *d) {
  struct packet *first = d->heap[0], *last = d->heap[--d->under_way];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < d->under_way; at = child) {
    if (child + 1 < d->under_way && before(d->heap[child + 1], d->heap[child])) child++;
    if (!before(d->heap[child], last)) break;
    d->heap[at] = d->heap[child];
  }
  d->heap[at] = last;
  return first;
}

/* ---- what becomes of a packet ---- */

static int is_lost(struct direction *d) {
  struct settings *s = &d->settings;
  if (d->drop_next > 0) {
    d->drop_next--;
    d->counters.told_lost++;
    return 1;
  }
  if (happens(d, d->bad ? s->bad_leave : s->bad_enter)) d->bad = !d->bad;
  if (!happens(d, d->bad ? s->bad_loss : s->loss)) return 0;
  d->counters.lost++;
  return 1;
}

/* When the packet has left the sender, or NEVER if the queue has no room for it. */
static uint64_t sent_at(struct direction *d, uint32_t length, uint64_t now) {
  struct settings *s = &d->settings;
  if (s->rate_mbit <= 0) return now;
  uint64_t begin = d->free_at_ns > now ? d->free_at_ns : now;
  if ((double)(begin - now) > s->queue_ms * NS_PER_MS) return NEVER;
  d->free_at_ns = begin + (uint64_t)(length * 8000.0 / s->rate_mbit);
  return d->free_at_ns;
}

static void carry(struct direction *d, const unsigned char *bytes, uint32_t length, uint64_t now) {
  struct settings *s = &d->settings;
  uint64_t sent_ns = d->under_way < MAX_UNDER_WAY ? sent_at(d, length, now) : NEVER;
  if (sent_ns == NEVER) {
    d->counters.queue_dropped++;
    return;
  }
  if (is_lost(d)) return;
  double travel_ms = s->delay_ms;
  if (s->jitter_ms > 0) travel_ms += (2 * roll(d) - 1) * s->jitter_ms;
  uint64_t due_ns = sent_ns + (uint64_t)((travel_ms > 0 ? travel_ms : 0) * NS_PER_MS);
  if (due_ns < d->last_due_ns) due_ns = d->last_due_ns;
  if (happens(d, s->reorder)) {
    due_ns += (uint64_t)(roll(d) * s->reorder_ms * NS_PER_MS);
    d->counters.reordered++;
  } else {
    d->last_due_ns = due_ns;
  }
  struct packet *packet = malloc(sizeof *packet + length);
  if (packet == NULL) fail("memory for a packet");
  *packet = (struct packet){.due_ns = due_ns, .order = next_order++, .entered_ns = now, .length = length};
  memcpy(packet->bytes, bytes, length);
  push(d, packet);
}

static void take(struct direction *d) {
  static unsigned char bytes[MAX_PACKET_BYTES];
  for (int count = 0; count < BATCH; count++) {
    ssize_t length = read(d->from, bytes, sizeof bytes);
    if (length <= 0) return;
    uint64_t now = now_ns();
    d->counters.packets++;
    d->counters.bytes += (uint64_t)length;
    if (happens(d, d->settings.duplicate)) {
      d->counters.duplicated++;
      carry(d, bytes, (uint32_t)length, now);
    }
    carry(d, bytes, (uint32_t)length, now);
  }
}

static void deliver(struct direction *d) {
  for (int count = 0; count < BATCH && d->under_way > 0; count++) {
    uint64_t now = now_ns();
    if (d->heap[0]->due_ns > now) return;
    struct packet *packet = pop(d);
    if (write(d->to, packet->bytes, packet->length) < 0) {
      d->counters.refused++;
    } else {
      d->counters.delivered++;
      d->counters.delivered_bytes += packet->length;
      d->counters.delay_sum_ns += (double)(now - packet->entered_ns);
      d->counters.late_sum_ns += (double)(now - packet->due_ns);
    }
    free(packet);
  }
}

/* ---- commands ---- */

#define KEY(name) {#name, offsetof(struct settings, name)}
static const struct { const char *name; size_t at; } keys[] = {
    KEY(delay_ms),  KEY(jitter_ms), KEY(rate_mbit), KEY(queue_ms),   KEY(loss),      KEY(bad_enter),
    KEY(bad_leave), KEY(bad_loss),  KEY(reorder),   KEY(reorder_ms), KEY(duplicate),
};

static int set_word(struct direction *d, const char *word) {
  const char *equals = strchr(word, '=');
  if (equals == NULL) return 0;
  size_t length = (size_t)(equals - word);
  char *end;
  double value = strtod(equals + 1, &end);
  if (*end != '\0' || end == equals + 1 || !(value >= 0)) return 0;
  if (length == 4 && strncmp(word, "seed", 4) == 0) {
    /* The two directions of one seed must not have the same luck. */
    d->dice = (uint64_t)value * 2 + (uint64_t)(d - directions);
    d->dice *= 0xD1342543DE82EF95u;
    d->bad = 0;
    return 1;
  }
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    if (strlen(keys[i].name) != length || strncmp(keys[i].name, word, length) != 0) continue;
    *(double *)((char *)&d->settings + keys[i].at) = value;
    return 1;
  }
  return 0;
}

static void print_stats(void) {
  for (int i = 0; i < 2; i++) {
    struct direction *d = &directions[i];
    struct counters *c = &d->counters;
    double out = c->delivered > 0 ? (double)c->delivered * NS_PER_MS : 1;
    printf("%c\"%s\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"toldLost\":%" PRIu64 ",\"queueDropped\":%" PRIu64 ",\"delivered\":%" PRIu64
           ",\"deliveredBytes\":%" PRIu64 ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64
           ",\"refused\":%" PRIu64 ",\"meanDelayMs\":%.4f,\"meanLateMs\":%.4f}",
           i == 0 ? '{' : ',', d->name, c->packets, c->bytes, c->lost, c->told_lost, c->queue_dropped,
           c->delivered, c->delivered_bytes, c->duplicated, c->reordered, c->refused,
           c->delay_sum_ns / out, c->late_sum_ns / out);
  }
  printf("}\n");
}

static void run_command(char *line) {
  char *rest = line, *verb = strsep(&rest, " "), *which = NULL;
  if (strcmp(verb, "stats") == 0) return print_stats();
  if (strcmp(verb, "set") == 0 || strcmp(verb, "drop") == 0) which = strsep(&rest, " ");
  int all = which == NULL || strcmp(which, "both") == 0, known = all, good = 1;
  for (int i = 0; i < 2; i++) {
    struct direction *d = &directions[i];
    if (!all && strcmp(which, d->name) != 0) continue;
    known = 1;
    if (strcmp(verb, "reset") == 0) d->counters = (struct counters){0};
    else if (strcmp(verb, "drop") == 0) d->drop_next = rest == NULL ? 0 : strtoull(rest, NULL, 10);
    else if (strcmp(verb, "set") == 0) {
      char words[MAX_LINE_BYTES], *left = words;
      snprintf(words, sizeof words, "%s", rest == NULL ? "" : rest);
      for (char *word; good && (word = strsep(&left, " ")) != NULL;)
        good = *word == '\0' || set_word(d, word);
    } else good = 0;
  }
  printf(known && good ? "{}\n" : "{\"error\":\"not understood\"}\n");
}

/* Runs what complete lines there are; ends the process with its stdin. */
static void read_commands(void) {
  static char buffer[MAX_LINE_BYTES];
  static size_t filled;
  ssize_t length = read(STDIN_FILENO, buffer + filled, sizeof buffer - 1 - filled);
  if (length <= 0) exit(0);
  filled += (size_t)length;
  char *begin = buffer;
  for (char *end; (end = memchr(begin, '\n', filled - (size_t)(begin - buffer))) != NULL; begin = end + 1) {
    *end = '\0';
    run_command(begin);
  }
  filled -= (size_t)(begin - buffer);
  memmove(buffer, begin, filled);
  if (filled == sizeof buffer - 1) exit(1);
  fflush(stdout);
}

/* Makes a namespace with a device and moves this process into it; answers the namespace, which lives as
   long as it is open here or has processes in it. */
static int make_end(int *device) {
  if (unshare(CLONE_NEWNET) < 0) fail("a network namespace");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strncpy(request.ifr_name, DEVICE, IFNAMSIZ - 1);
  *device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (*device < 0 || ioctl(*device, TUNSETIFF, &request) < 0) fail("/dev/net/tun");
  int namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (namespace < 0) fail("/proc/self/ns/net");
  return namespace;
}

int main(void) {
  int device[2], namespace[2];
  for (int i = 0; i < 2; i++) namespace[i] = make_end(&device[i]);
  for (int i = 0; i < 2; i++) {
    directions[i].from = device[i];
    directions[i].to = device[1 - i];
    directions[i].heap = malloc(MAX_UNDER_WAY * sizeof(struct packet *));
    if (directions[i].heap == NULL) fail("memory for the packets under way");
    set_word(&directions[i], "seed=1");
  }
  /* Being late is the one thing a link may not be: ahead of everybody if we may, and woken exactly. */
  struct sched_param first = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
  prctl(PR_SET_TIMERSLACK, 1);
  printf("{\"pid\":%d,\"a\":%d,\"b\":%d}\n", getpid(), namespace[0], namespace[1]);
  fflush(stdout);
  struct pollfd inputs[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = device[0], .events = POLLIN},
                             {.fd = device[1], .events = POLLIN}};
  for (;;) {
    uint64_t due = NEVER, now = now_ns();
    for (int i = 0; i < 2; i++)
      if (directions[i].under_way > 0 && directions[i].heap[0]->due_ns < due)
        due = directions[i].heap[0]->due_ns;
    uint64_t wait = due > now ? due - now : 0;
    struct timespec limit = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
    if (ppoll(inputs, 3, due == NEVER ? NULL : &limit, NULL) < 0 && errno != EINTR) fail("poll");
    if (inputs[0].revents != 0) read_commands();
    for (int i = 0; i < 2; i++) take(&directions[i]);
    for (int i = 0; i < 2; i++) deliver(&directions[i]);
  }
}
