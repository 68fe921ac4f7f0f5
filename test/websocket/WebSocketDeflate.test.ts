/** RFC 7692: what is agreed upon, and what is compressed, in the manner of Autobahn's cases 12 and 13. */
import * as zlib from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { until } from "../http/httpKit.ts"
import { close, frame, more, ping, shown } from "./frames.ts"
import { echo, handshake, serving } from "./webSocketKit.ts"

const deflated = (text: string | Uint8Array): Buffer =>
  zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4)

const compressed = { rsv: 4 }
const open = { fin: false }

/** Sent behind a handshake that offers this: the field of the answer, and the frames. */
const ask = Effect.fnUntraced(function* (
  offer: string,
  sent: ReadonlyArray<Uint8Array>,
  options: Parameters<typeof serving<never>>[2] = { compression: true }
) {
  const { transport } = yield* serving("memory", (socket) => Effect.ignore(echo(socket)), options)
  const connected = yield* transport
  yield* connected.send(handshake(`Sec-WebSocket-Extensions: ${offer}\r\n`))
  const head = yield* until(connected, /\r\n\r\n$/)
  const pieces: Array<Uint8Array> = []
  yield* connected.send(Buffer.concat(sent))
  yield* Effect.ignore(connected.receiveEach((bytes) => Effect.sync(() => void pieces.push(bytes))))
  return {
    field: /Sec-WebSocket-Extensions: (.*)\r\n/.exec(head)?.[1],
    frames: shown(Buffer.concat(pieces))
  }
}, Effect.scoped)

describe("an offer", () => {
  const without = "server_no_context_takeover; client_no_context_takeover"
  const offers: ReadonlyArray<readonly [offer: string, field: string | undefined]> = [
    ["permessage-deflate", `permessage-deflate; ${without}`],
    ["permessage-deflate; client_max_window_bits", `permessage-deflate; ${without}`],
    [
      "permessage-deflate; server_max_window_bits=10",
      `permessage-deflate; server_max_window_bits=10; ${without}`
    ],
    ["x-webkit-deflate-frame, permessage-deflate", `permessage-deflate; ${without}`],
    ["permessage-deflate; server_max_window_bits=16, permessage-deflate", `permessage-deflate; ${without}`],
    [
      "permessage-deflate; client_no_context_takeover; client_max_window_bits, permessage-deflate; client_no_context_takeover",
      "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
    ],
    ["permessage-deflate; client_max_window_bits=9; server_max_window_bits=9; unknown", undefined],
    ["permessage-deflate; server_max_window_bits=7", undefined],
    ["permessage-deflate; server_no_context_takeover=1", undefined],
    ["permessage-deflate; unknown", undefined],
    ["permessage-bzip2", undefined]
  ]
  for (const [offer, field] of offers) {
    it.live(`${offer}: ${field ?? "none"}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ask(offer, [close(1000)])).field, field)
      })
    )
  }

  it.live("is passed over where compression is not asked for", () =>
    Effect.gen(function* () {
      const { field, frames } = yield* ask("permessage-deflate", [frame(1, deflated("x"), compressed)], {})
      assert.strictEqual(field, undefined)
      assert.deepStrictEqual(frames, ["close 1002"])
    })
  )
})

describe("compressed messages", () => {
  const hello = deflated("Hello")
  const half = Math.ceil(hello.length / 2)
  const cases: ReadonlyArray<
    readonly [what: string, sent: ReadonlyArray<Uint8Array>, frames: ReadonlyArray<string>]
  > = [
    [
      "the example of RFC 7692 §7.2.3.1",
      [frame(1, Buffer.from("f248cdc9c90700", "hex"), compressed)],
      ["text Hello"]
    ],
    [
      "in a stored block, §7.2.3.3",
      [frame(1, Buffer.from("000500faff48656c6c6f00", "hex"), compressed)],
      ["text Hello"]
    ],
    [
      "in two blocks, §7.2.3.5",
      [frame(1, Buffer.from("f248050000 00ffffcac9c90700".replace(" ", ""), "hex"), compressed)],
      ["text Hello"]
    ],
    [
      "in a final block, §7.2.3.4",
      [frame(1, Buffer.from("f348cdc9c9070000", "hex"), compressed)],
      ["text Hello"]
    ],
    ["nothing", [frame(1, deflated(""), compressed)], ["text "]],
    [
      "in two frames",
      [frame(1, hello.subarray(0, half), { ...compressed, ...open }), ping("p"), more(hello.subarray(half))],
      ["pong p", "text Hello"]
    ],
    [
      "several at once, and others in between",
      [frame(1, hello, compressed), frame(1, "plain"), frame(2, deflated("bin"), compressed), ping("p")],
      ["text Hello", "text plain", "binary bin", "pong p"]
    ],
    [
      "that say so on their second frame",
      [frame(1, hello.subarray(0, half), { ...compressed, ...open }), more(hello.subarray(half), compressed)],
      ["close 1002"]
    ],
    ["that are none", [frame(1, Buffer.from("ffffffffffff", "hex"), compressed)], ["close 1007"]],
    ["that are no text", [frame(1, deflated(Uint8Array.of(0xff, 0xfe)), compressed)], ["close 1007"]],
    [
      "that are no text by the first of their frames",
      [frame(1, deflated(Uint8Array.of(0x61, 0xff)), { ...compressed, ...open })],
      ["close 1007"]
    ],
    ["a ping that says so", [ping("p", compressed)], ["close 1002"]]
  ]
  for (const [what, sent, expected] of cases) {
    it.live(what, () =>
      Effect.gen(function* () {
        const ends = expected.at(-1)?.startsWith("close") === true
        const { frames } = yield* ask("permessage-deflate", ends ? sent : [...sent, close(1000)])
        assert.deepStrictEqual(frames, ends ? expected : [...expected, "close 1000"])
      })
    )
  }

  it.live("lose nothing when who receives them is interrupted again and again", () =>
    Effect.gen(function* () {
      const { connect } = yield* serving(
        "memory",
        (socket) =>
          Effect.gen(function* () {
            for (let i = 0; i < 200; i++) yield* socket.send(`${i} ${"x".repeat(2_000)}`)
            yield* socket.close()
          }),
        { compression: true }
      )
      const socket = yield* connect("/", { compression: true })
      const received: Array<number> = []
      for (;;) {
        const end = yield* Effect.timeoutOption(
          socket.receiveEach((message) =>
            Effect.andThen(
              Effect.sync(() => void received.push(Number.parseInt(String(message)))),
              received.length % 7 === 0 ? Effect.yieldNow : Effect.void
            )
          ),
          1
        )
        if (end._tag === "Some") break
      }
      assert.deepStrictEqual(
        received,
        Array.from({ length: 200 }, (_, i) => i)
      )
    }).pipe(Effect.scoped)
  )
})
