/**
 * Tells when hints may have been lost. The kernel's queue has room for so many, drops what comes when it is full, and says
 * so; libuv does not pass that on. It reads the whole queue in one turn of the event loop, though: so a turn that brings
 * half of what the queue holds is taken for an overflow. (Half, because watches of others in this thread share it.)
 */
import * as fs from "node:fs"

/** What Linux allows by default. */
const queuedMaxDefault = 16_384

const queuedMax = (): number => {
  try {
    const read = Number(fs.readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"))
    return read > 0 ? read : queuedMaxDefault
  } catch {
    return queuedMaxDefault
  }
}

export class NodeFileWatchFlood {
  private readonly most: number
  private counted = 0
  private readonly over = (): void => {
    this.counted = 0
  }

  constructor(most = Math.max(1, queuedMax() >> 1)) {
    this.most = most
  }

  /** One more. Whether that was too many for this turn; every one after that is, too. */
  count(): boolean {
    if (this.counted === 0) setImmediate(this.over)
    return ++this.counted >= this.most
  }
}
