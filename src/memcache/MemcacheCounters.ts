/** What a server counts, by the names that memcached gives in `stats`, where it has them. */
export class MemcacheCounters {
  cmd_get = 0
  cmd_set = 0
  cmd_flush = 0
  cmd_touch = 0
  cmd_meta = 0
  get_hits = 0
  get_misses = 0
  delete_hits = 0
  delete_misses = 0
  incr_hits = 0
  incr_misses = 0
  decr_hits = 0
  decr_misses = 0
  cas_hits = 0
  cas_misses = 0
  cas_badval = 0
  touch_hits = 0
  touch_misses = 0
  auth_cmds = 0
  auth_errors = 0
  bytes_read = 0
  bytes_written = 0
  total_connections = 0
  rejected_connections = 0
  curr_connections = 0
  /** Datagrams that were not commands, the whole of them. Not memcached's. */
  udp_ignored = 0
  /** Answers to datagrams that were not sent, because of whom they would have gone to. Not memcached's. */
  udp_withheld = 0

  /** `stats reset`: all but who is there now. */
  reset(): void {
    const { curr_connections } = this
    Object.assign(this, new MemcacheCounters(), { curr_connections })
  }
}
