/** HTTP/2 from the other side: Node's client over any transport, and frames made by hand. */
import * as http2 from "node:http2"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as EffectHttpServer from "effect/http/HttpServer"
import type * as Layer from "effect/Layer"
import type * as HttpServer from "../../src/http/HttpServer.ts"
import { TransportDuplex } from "../../src/node/TransportDuplex.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { type Kind, serving } from "./httpKit.ts"

/** An application that takes HTTP/2 on this kind of endpoint, and clients of it. */
export const serving2 = Effect.fnUntraced(function* (
  kind: Kind,
  options?: HttpServer.Options,
  application?: Layer.Layer<never, never, EffectHttpServer.HttpServer>
) {
  const served = yield* serving(kind, { http2PriorKnowledge: true, ...options }, application, ["h2"])
  /** A session of Node's client, closed with the scope. */
  const open = (settings?: http2.ClientSessionOptions) =>
    Effect.gen(function* () {
      const transport = yield* served.connect
      return yield* session(transport, settings)
    })
  return { ...served, open }
})

export const session = (transport: Transport, settings: http2.ClientSessionOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const stream = new TransportDuplex(transport, Effect.runForkWith(Context.empty()))
      const client = http2.connect("http://spindle", { ...settings, createConnection: () => stream })
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.destroy())
  )

export interface Answer {
  readonly status: number | undefined
  readonly headers: http2.IncomingHttpHeaders
  readonly body: string
  /** What the stream was closed with. */
  readonly code: number
}

/** Asks, and gives what came until the stream was closed. */
export const ask = (
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string | Uint8Array
): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const stream = client.request(headers, { endStream: body === undefined })
    const pieces: Array<Buffer> = []
    let answer: http2.IncomingHttpHeaders = {}
    stream.on("response", (headers) => void (answer = headers))
    stream.on("data", (bytes: Buffer) => void pieces.push(bytes))
    stream.on("error", () => {})
    stream.on("close", () =>
      resume(
        Effect.succeed({
          status: answer[":status"] as number | undefined,
          headers: answer,
          body: Buffer.concat(pieces).toString(),
          code: stream.rstCode ?? 0
        })
      )
    )
    if (body !== undefined) stream.end(body)
    return Effect.sync(() => stream.close(http2.constants.NGHTTP2_CANCEL))
  })

export const get2 = (path: string, headers: http2.OutgoingHttpHeaders = {}): http2.OutgoingHttpHeaders => ({
  ":path": path,
  ...headers
})
export const post2 = (path: string, headers: http2.OutgoingHttpHeaders = {}): http2.OutgoingHttpHeaders => ({
  ":path": path,
  ":method": "POST",
  ...headers
})

export const closed = (client: http2.ClientHttp2Session): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (client.closed || client.destroyed) return resume(Effect.void)
    client.on("close", () => resume(Effect.void))
  })

// --- frames ---------------------------------------------------------------------------------------------

export const types = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9
} as const

export const flags = { ack: 1, endStream: 1, endHeaders: 4 } as const

/** RFC 9113 §4.1. */
export const frame = (
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array = new Uint8Array(0)
): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Of a client that has not seen the server's settings. */
export const hello = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(types.settings, 0, 0)
])
/** Of one that has. */
export const preface = Buffer.concat([hello, frame(types.settings, flags.ack, 0)])

/** Literals, never indexed, not compressed (RFC 7541 §6.2.3). */
export const block = (fields: ReadonlyArray<readonly [string, string]>): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0x10), text(name), text(value)]))

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, "latin1")
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export const asking = (path: string, method = "GET"): ReadonlyArray<readonly [string, string]> => [
  [":method", method],
  [":scheme", "http"],
  [":path", path],
  [":authority", "spindle"]
]

export const headers = (id: number, fields: ReadonlyArray<readonly [string, string]>, ends = true): Buffer =>
  frame(types.headers, flags.endHeaders | (ends ? flags.endStream : 0), id, block(fields))

export interface Seen {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

/** Sends it all, whether the peer takes it or not, and gives the frames that come until `enough` or the end. */
export const frames = (
  transport: Transport,
  pieces: ReadonlyArray<Uint8Array>,
  enough: (frame: Seen) => boolean = () => false
): Effect.Effect<ReadonlyArray<Seen>> =>
  Effect.suspend(() => {
    const seen: Array<Seen> = []
    return Effect.orElseSucceed(reading(transport, pieces, enough, seen), () => seen)
  })

const reading = (
  transport: Transport,
  pieces: ReadonlyArray<Uint8Array>,
  enough: (frame: Seen) => boolean,
  seen: Array<Seen>
) =>
  Effect.gen(function* () {
    yield* Effect.forkChild(Effect.ignore(Effect.forEach(pieces, transport.send, { discard: true })), {
      startImmediately: true
    })
    let rest = Buffer.alloc(0)
    for (;;) {
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const end = 9 + rest.readUIntBE(0, 3)
        const one = {
          type: rest[3]!,
          flags: rest[4]!,
          id: rest.readUInt32BE(5),
          payload: rest.subarray(9, end)
        }
        rest = rest.subarray(end)
        seen.push(one)
        if (!enough(one)) continue
        if (rest.length > 0) yield* transport.unread(rest)
        return seen
      }
      rest = Buffer.concat([rest, yield* transport.receive])
    }
  })

/** The code of the last GOAWAY; undefined if there is none. */
export const goawayOf = (seen: ReadonlyArray<Seen>): number | undefined =>
  seen.findLast(({ type }) => type === types.goaway)?.payload.readUInt32BE(4)
