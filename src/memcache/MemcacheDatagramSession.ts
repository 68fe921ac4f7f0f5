/**
 * The rules of memcached over UDP: a datagram in, those of its answer out. Pure.
 *
 * A datagram is answered when all of it is commands; else nothing of it is done, and nothing is said. So no answer of a memcached, this one
 * included, is ever answered, and two of them cannot be set upon each other.
 */
import type { MemcacheEngine } from "./MemcacheEngine.ts"
import { MemcacheOutput } from "./MemcacheOutput.ts"
import { isUnknown } from "./MemcacheRequestLine.ts"
import * as MemcacheRequestWire from "./MemcacheRequestWire.ts"
import { MemcacheSession } from "./MemcacheSession.ts"
import * as Wire from "./MemcacheDatagramWire.ts"

export interface Options extends MemcacheRequestWire.Options {
  /** The largest datagram that is sent, with its header of 8 bytes. At least 24; default 1,400, as memcached. */
  readonly datagramBytesMax?: number | undefined
  /** The longest answer; instead of a longer one goes `SERVER_ERROR`. At most 262,144; default 65,536. memcached has no limit. */
  readonly answerBytesMax?: number | undefined
}

/** The longest answer has no more parts of these than can be numbered. */
const datagramBytesMin = 24

export class MemcacheDatagramSession {
  private readonly engine: MemcacheEngine
  private readonly options: Options
  private readonly datagramBytesMax: number
  private readonly answerBytesMax: number

  constructor(engine: MemcacheEngine, options: Options = {}) {
    this.engine = engine
    this.options = options
    this.datagramBytesMax = Math.max(datagramBytesMin, options.datagramBytesMax ?? 1_400)
    this.answerBytesMax = options.answerBytesMax ?? 65_536
  }

  /** None where nothing is to be said. */
  answer(datagram: Uint8Array, now: number): ReadonlyArray<Uint8Array> {
    const { counters, outputBuffer } = this.engine
    counters.bytes_read += datagram.length
    const header = Wire.headerOf(datagram)
    const requests = header === undefined ? undefined : this.requestsOf(header, Wire.payloadOf(datagram))
    if (header === undefined || requests === undefined) {
      counters.udp_ignored++
      return []
    }
    const output = new MemcacheOutput(outputBuffer)
    this.run(requests, output, now)
    return Wire.split(header.requestId, output.take(), this.datagramBytesMax)
  }

  /** All of a datagram, if it is commands and nothing else. A request of several datagrams is not taken, as by memcached. */
  private requestsOf(
    { count, sequence }: Wire.Header,
    payload: Uint8Array
  ): ReadonlyArray<MemcacheRequestWire.Request> | undefined {
    if (count !== 1 || sequence !== 0) return undefined
    const decoder = MemcacheRequestWire.decoder(this.options)
    decoder.push(payload)
    const requests: Array<MemcacheRequestWire.Request> = []
    for (let request = decoder.next(); request !== undefined; request = decoder.next()) {
      if (isUnknown(request)) return undefined
      requests.push(request)
      // What follows cannot be trusted to be commands.
      if (request._tag === "Invalid" && request.isFatal) return requests
    }
    return requests.length > 0 && decoder.failure === undefined && decoder.isBetween ? requests : undefined
  }

  private run(
    requests: ReadonlyArray<MemcacheRequestWire.Request>,
    output: MemcacheOutput,
    now: number
  ): void {
    if (this.engine.asksWho) return output.text("CLIENT_ERROR unauthenticated\r\n")
    let at = 0
    const source = { next: () => requests[at++], failure: undefined }
    const next = new MemcacheSession(this.engine, output).run(source, now)
    if (next !== "Send" && output.bytes <= this.answerBytesMax) return
    output.take()
    output.text("SERVER_ERROR the answer is too long for UDP\r\n")
  }
}
