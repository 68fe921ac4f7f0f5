// Modes `memcache-set`, `memcache-get`: what load.c does with messages, with commands of memcached and their answers. Keys go round;
// values belong to their keys, so that whoever answers a `get` with another one is found out. Run `memcache-set` first.

enum { KEYS = 20000, VALUE_BYTES_MAX = 64 * 1024 };

static void memcache_value(char *to, int key) {
  uint32_t state = 2463534242u ^ ((uint32_t)key * 2654435761u);
  for (size_t i = 0; i < size_bytes; i++) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    to[i] = (char)('a' + state % 26);
  }
}

static void patterns_memcache(int is_get) {
  static char value[VALUE_BYTES_MAX];
  char line[64];
  if (size_bytes > sizeof value) fail("a value has 65536 bytes at most here");
  units = KEYS;
  size_t request_max = 64 + (is_get ? 0 : size_bytes), answer_max = 64 + (is_get ? size_bytes : 0);
  pattern = malloc(units * request_max);
  char *back = malloc(2 * units * answer_max);
  size_t back_bytes = 0;
  unit_at = malloc((units + 1) * sizeof *unit_at);
  for (int key = 0; key < KEYS; key++) {
    unit_at[key] = pattern_bytes;
    memcache_value(value, key);
    size_t n = is_get ? (size_t)snprintf(line, sizeof line, "get key:%05d\r\n", key)
                      : (size_t)snprintf(line, sizeof line, "set key:%05d 0 0 %zu\r\n", key, size_bytes);
    memcpy(pattern + pattern_bytes, line, n), pattern_bytes += n;
    if (!is_get) {
      memcpy(pattern + pattern_bytes, value, size_bytes), pattern_bytes += size_bytes;
      memcpy(pattern + pattern_bytes, "\r\n", 2), pattern_bytes += 2;
    }
    char *to = back + back_bytes;
    if (is_get) {
      to += snprintf(to, 64, "VALUE key:%05d 0 %zu\r\n", key, size_bytes);
      memcpy(to, value, size_bytes), to += size_bytes;
      memcpy(to, "\r\nEND\r\n", 7), to += 7;
    } else memcpy(to, "STORED\r\n", 8), to += 8;
    back_bytes = (size_t)(to - back);
  }
  unit_at[units] = pattern_bytes;
  pattern_double();
  memcpy(back + back_bytes, back, back_bytes);
  answers = back, answers_bytes = back_bytes, answer_bytes = back_bytes / units;
}
