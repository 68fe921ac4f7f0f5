/** A system log over UDP (RFC 5426): a message in each datagram. Nobody tells whether it arrived. */
import * as dgram from "node:dgram"
import * as net from "node:net"

export interface UdpOptions {
  /** An IP address: a name would be looked up for each datagram. */
  readonly address: string
  readonly port: number
  /** Told, in one line, when messages cannot be sent, and when they can be again. */
  readonly complain: (text: string) => void
}

export class NodeSyslogUdp {
  private readonly options: UdpOptions
  private readonly socket: dgram.Socket
  private readonly waiting = new Set<() => void>()
  private pending = 0
  private isLosing = false
  lines = 0
  lost = 0

  constructor(options: UdpOptions) {
    this.options = options
    this.socket = dgram.createSocket(net.isIPv6(options.address) ? "udp6" : "udp4")
    this.socket.on("error", (error) => this.fail(error))
    this.socket.unref()
  }

  /** A message. Never waits, never throws. */
  readonly write = (message: string): void => {
    this.lines++
    this.pending++
    try {
      this.socket.send(message, this.options.port, this.options.address, (error) => {
        this.pending--
        if (error !== null) this.fail(error)
        else if (this.isLosing) {
          this.isLosing = false
          this.options.complain(`spindle: system log: works again; ${this.lost} messages were lost so far`)
        }
        if (this.pending > 0) return
        for (const done of this.waiting) done()
        this.waiting.clear()
      })
    } catch (error) {
      this.pending--
      this.fail(error)
    }
  }

  whenEmpty(done: () => void): () => void {
    if (this.pending === 0) done()
    else this.waiting.add(done)
    return () => void this.waiting.delete(done)
  }

  close(millis: number, done: () => void): void {
    const over = () => {
      clearTimeout(timer)
      forget()
      this.socket.close(done)
    }
    const timer = setTimeout(over, millis)
    const forget = this.whenEmpty(() => setImmediate(over))
  }

  private fail(error: unknown): void {
    this.lost++
    if (this.isLosing) return
    this.isLosing = true
    const detail = error instanceof Error ? error.message : String(error)
    this.options.complain(`spindle: system log: ${detail}; messages are lost`)
  }
}
