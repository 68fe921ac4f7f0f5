/** What a client may send, and must not, by section of RFC 9113; and what becomes of it. */
import { asking, block, flags, frame, headers, hello, types, u32 } from "./http2Kit.ts"

export interface Case {
  readonly name: string
  /** Without it, `preface`. */
  readonly opening?: Uint8Array | undefined
  readonly pieces: ReadonlyArray<Uint8Array>
  /**
   * `answered`: the last stream that was asked on has its answer, to the end; `goes on`: the connection does; else what the stream or the
   * connection is ended with.
   */
  readonly outcome: string
  /** What another nghttp2 may do, as the RFC has it. */
  readonly also?: string | undefined
}

const padded = 8
const priority = 0x20
const ended = flags.endStream
const whole = flags.endHeaders | ended

const get = (id: number, path = "/") => headers(id, asking(path))
const post = (id: number, path = "/ignore") => headers(id, asking(path, "POST"), false)
/** Half closed, as nobody answers it. */
const waiting = get(1, "/gate")
const data = (id: number, bytes: number, flag: number = ended) =>
  frame(types.data, flag, id, new Uint8Array(bytes))
const settings = (id: number, value: number) =>
  frame(types.settings, 0, 0, Buffer.concat([Buffer.of(0, id), u32(value)]))
const ping = (bytes = 8, flag = 0, id = 0) => frame(types.ping, flag, id, new Uint8Array(bytes))
const window = (id: number, by: number) => frame(types.windowUpdate, 0, id, u32(by))
const depending = (id: number, on: number) =>
  frame(types.priority, 0, id, Buffer.concat([u32(on), Buffer.of(15)]))
const reset = (id: number) => frame(types.rstStream, 0, id, u32(8))
/** The beginning of a header, and its rest. */
const begun = (id: number, flag: number = ended) =>
  frame(types.headers, flag, id, block(asking("/").slice(0, 2)))
const rest = (id: number) => frame(types.continuation, flags.endHeaders, id, block(asking("/").slice(2)))
const unknown = (id = 0) => frame(0xf0, 0xff, id, Buffer.from("whatever"))

/** The table, in the order of the RFC. */
export const cases: Readonly<Record<string, ReadonlyArray<Case>>> = {
  "3.4 connection preface": [
    { name: "as it should be", pieces: [get(1)], outcome: "answered" },
    {
      name: "another one",
      opening: Buffer.from("PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n"),
      pieces: [],
      outcome: "closed"
    },
    {
      name: "no settings behind it",
      opening: hello.subarray(0, 24),
      pieces: [get(1)],
      outcome: "goaway PROTOCOL_ERROR"
    }
  ],
  "4.1 frame format": [
    { name: "an unknown type", pieces: [unknown()], outcome: "goes on" },
    { name: "flags that this one does not have", pieces: [ping(8, 0xfe)], outcome: "goes on" },
    {
      name: "the reserved bit",
      pieces: [frame(types.headers, whole, 0x80000001, block(asking("/")))],
      outcome: "answered"
    }
  ],
  "4.2 frame size": [
    { name: "as much as may be", pieces: [post(1), data(1, 16_384)], outcome: "answered" },
    { name: "DATA with more", pieces: [post(1), data(1, 16_385)], outcome: "goaway FRAME_SIZE_ERROR" },
    {
      name: "HEADERS with more",
      pieces: [frame(types.headers, whole, 1, new Uint8Array(16_385))],
      outcome: "goaway FRAME_SIZE_ERROR"
    },
    {
      name: "an unknown one with more",
      pieces: [frame(0xf0, 0, 0, new Uint8Array(16_385))],
      outcome: "goaway FRAME_SIZE_ERROR"
    }
  ],
  "4.3 field section compression": [
    {
      name: "no such block",
      pieces: [frame(types.headers, whole, 1, Buffer.of(0xff, 0xff, 0xff, 0xff))],
      outcome: "goaway COMPRESSION_ERROR"
    },
    {
      name: "another frame within it",
      pieces: [begun(1), depending(1, 0), rest(1)],
      outcome: "goaway PROTOCOL_ERROR"
    },
    { name: "another stream's within it", pieces: [begun(1), get(3)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "a ping within it", pieces: [begun(1), ping()], outcome: "goaway PROTOCOL_ERROR" }
  ],
  "5.1 stream states": [
    { name: "idle: DATA", pieces: [data(1, 1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "idle: RST_STREAM", pieces: [reset(1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "idle: WINDOW_UPDATE", pieces: [window(1, 1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "idle: CONTINUATION", pieces: [rest(1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "idle: PRIORITY", pieces: [depending(1, 0), get(1)], outcome: "answered" },
    {
      name: "half closed: DATA",
      pieces: [waiting, data(1, 1)],
      outcome: "goaway STREAM_CLOSED",
      also: "reset STREAM_CLOSED"
    },
    { name: "half closed: HEADERS", pieces: [waiting, get(1)], outcome: "goaway STREAM_CLOSED" },
    { name: "half closed: CONTINUATION", pieces: [waiting, rest(1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "half closed: WINDOW_UPDATE", pieces: [waiting, window(1, 1)], outcome: "goes on" },
    { name: "half closed: PRIORITY", pieces: [waiting, depending(1, 0)], outcome: "goes on" },
    { name: "half closed: RST_STREAM", pieces: [waiting, reset(1)], outcome: "goes on" },
    { name: "closed: PRIORITY", pieces: [waiting, reset(1), depending(1, 0)], outcome: "goes on" },
    { name: "closed: WINDOW_UPDATE", pieces: [waiting, reset(1), window(1, 1)], outcome: "goes on" },
    { name: "closed: RST_STREAM", pieces: [waiting, reset(1), reset(1)], outcome: "goes on" },
    { name: "closed: CONTINUATION", pieces: [waiting, reset(1), rest(1)], outcome: "goaway PROTOCOL_ERROR" },
    // An error to the RFC; nghttp2 does not remember what it has closed, and drops it.
    {
      name: "closed: DATA",
      pieces: [post(1, "/gate"), reset(1), data(1, 1)],
      outcome: "goes on",
      also: "reset STREAM_CLOSED"
    },
    {
      name: "closed: HEADERS",
      pieces: [post(1, "/gate"), reset(1), get(1)],
      outcome: "goes on",
      also: "goaway STREAM_CLOSED"
    }
  ],
  "5.1.1 stream identifiers": [
    { name: "an even one", pieces: [get(2)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "others are skipped", pieces: [get(9)], outcome: "answered" },
    // As above: it counts as closed.
    {
      name: "a lower one than before",
      pieces: [get(5, "/gate"), get(3)],
      outcome: "goes on",
      also: "goaway PROTOCOL_ERROR"
    }
  ],
  "5.3 prioritization": [
    {
      name: "by a header",
      pieces: [
        frame(
          types.headers,
          whole | priority,
          1,
          Buffer.concat([u32(0x80000000), Buffer.of(255), block(asking("/"))])
        )
      ],
      outcome: "answered"
    },
    { name: "on an idle stream, then a lower one", pieces: [depending(5, 0), get(3)], outcome: "answered" },
    {
      name: "by a header, on itself",
      pieces: [
        frame(types.headers, whole | priority, 1, Buffer.concat([u32(1), Buffer.of(0), block(asking("/"))]))
      ],
      outcome: "goaway PROTOCOL_ERROR"
    },
    // Deprecated by RFC 9113: nghttp2 looks at its length only.
    { name: "on itself", pieces: [depending(1, 1)], outcome: "goes on", also: "reset PROTOCOL_ERROR" }
  ],
  "5.5 extending HTTP/2": [
    { name: "an unknown frame of a stream", pieces: [post(1), unknown(1), data(1, 1)], outcome: "answered" },
    { name: "an unknown setting", pieces: [settings(0xf0, 1), get(1)], outcome: "answered" },
    {
      name: "an unknown frame within a header",
      pieces: [begun(1), unknown(1), rest(1)],
      outcome: "goaway PROTOCOL_ERROR"
    }
  ],
  "6.1 DATA": [
    { name: "several", pieces: [post(1), data(1, 5, 0), data(1, 0, 0), data(1, 5)], outcome: "answered" },
    {
      name: "with padding",
      pieces: [post(1), frame(types.data, ended | padded, 1, Buffer.from([2, 65, 66, 0, 0]))],
      outcome: "answered"
    },
    { name: "of no stream", pieces: [data(0, 1)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "padding that is longer than it",
      pieces: [post(1), frame(types.data, ended | padded, 1, Buffer.from([9, 65, 66]))],
      outcome: "goaway PROTOCOL_ERROR"
    },
    {
      name: "padding, and nothing",
      pieces: [post(1), frame(types.data, ended | padded, 1)],
      outcome: "goaway PROTOCOL_ERROR",
      also: "goaway FRAME_SIZE_ERROR"
    }
  ],
  "6.2 HEADERS": [
    {
      name: "with padding",
      pieces: [
        frame(
          types.headers,
          whole | padded,
          1,
          Buffer.concat([Buffer.of(2), block(asking("/")), Buffer.of(0, 0)])
        )
      ],
      outcome: "answered"
    },
    { name: "of no stream", pieces: [get(0)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "padding that is longer than it",
      pieces: [frame(types.headers, whole | padded, 1, Buffer.concat([Buffer.of(255), block(asking("/"))]))],
      outcome: "goaway PROTOCOL_ERROR"
    }
  ],
  "6.3 PRIORITY": [
    {
      name: "of four bytes",
      pieces: [frame(types.priority, 0, 1, u32(0))],
      outcome: "goaway FRAME_SIZE_ERROR"
    },
    // As with one on itself.
    { name: "of no stream", pieces: [depending(0, 0)], outcome: "goes on", also: "goaway PROTOCOL_ERROR" }
  ],
  "6.4 RST_STREAM": [
    { name: "of no stream", pieces: [reset(0)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "of three bytes",
      pieces: [waiting, frame(types.rstStream, 0, 1, new Uint8Array(3))],
      outcome: "goaway FRAME_SIZE_ERROR"
    }
  ],
  "6.5 SETTINGS": [
    {
      name: "an acknowledgement that says something",
      pieces: [frame(types.settings, flags.ack, 0, new Uint8Array(6))],
      outcome: "goaway FRAME_SIZE_ERROR"
    },
    { name: "of a stream", pieces: [frame(types.settings, 0, 1)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "of five bytes",
      pieces: [frame(types.settings, 0, 0, new Uint8Array(5))],
      outcome: "goaway FRAME_SIZE_ERROR"
    },
    { name: "ENABLE_PUSH of 2", pieces: [settings(2, 2)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "INITIAL_WINDOW_SIZE of 2^31",
      pieces: [settings(4, 0x80000000)],
      outcome: "goaway FLOW_CONTROL_ERROR"
    },
    { name: "MAX_FRAME_SIZE of 16,383", pieces: [settings(5, 16_383)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "MAX_FRAME_SIZE of 2^24", pieces: [settings(5, 0x1000000)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "the same twice: the last one counts",
      pieces: [settings(4, 0), settings(4, 65_535), get(1)],
      outcome: "answered"
    }
  ],
  "6.6 PUSH_PROMISE": [
    {
      name: "of a client",
      pieces: [waiting, frame(5, flags.endHeaders, 1, Buffer.concat([u32(2), block(asking("/"))]))],
      outcome: "goaway PROTOCOL_ERROR"
    }
  ],
  "6.7 PING": [
    { name: "of a stream", pieces: [ping(8, 0, 1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "of seven bytes", pieces: [ping(7)], outcome: "goaway FRAME_SIZE_ERROR" },
    // Not answered, which is all that the RFC asks; Node ends the connection over it.
    {
      name: "an answer to none",
      pieces: [ping(8, flags.ack)],
      outcome: "goaway INTERNAL_ERROR",
      also: "goes on"
    }
  ],
  "6.8 GOAWAY": [
    {
      name: "of a stream",
      pieces: [frame(types.goaway, 0, 1, Buffer.concat([u32(0), u32(0)]))],
      outcome: "goaway PROTOCOL_ERROR"
    },
    {
      name: "behind a request",
      pieces: [get(1), frame(types.goaway, 0, 0, Buffer.concat([u32(0), u32(0)]))],
      outcome: "answered"
    }
  ],
  "6.9 WINDOW_UPDATE": [
    { name: "by nothing", pieces: [window(0, 0)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "of a stream by nothing",
      pieces: [waiting, window(1, 0)],
      outcome: "goaway PROTOCOL_ERROR",
      also: "reset PROTOCOL_ERROR"
    },
    {
      name: "of three bytes",
      pieces: [frame(types.windowUpdate, 0, 0, new Uint8Array(3))],
      outcome: "goaway FRAME_SIZE_ERROR"
    },
    {
      name: "beyond 2^31-1",
      pieces: [window(0, 0x7fffffff), window(0, 0x7fffffff)],
      outcome: "goaway FLOW_CONTROL_ERROR"
    },
    // The stream's end would do; nghttp2 ends the connection (CVE-2025-8671).
    {
      name: "of a stream beyond 2^31-1",
      pieces: [waiting, window(1, 0x7fffffff), window(1, 0x7fffffff)],
      outcome: "goaway FLOW_CONTROL_ERROR",
      also: "reset FLOW_CONTROL_ERROR"
    },
    {
      name: "a window of one byte, opened then",
      pieces: [settings(4, 1), get(1), window(1, 100)],
      outcome: "answered"
    },
    {
      name: "a window below nothing, opened then",
      pieces: [settings(4, 3), get(1), settings(4, 1), window(1, 100)],
      outcome: "answered"
    },
    {
      name: "settings that open the windows of streams too far",
      pieces: [waiting, window(1, 0x7fff0000), settings(4, 0x7fffffff)],
      outcome: "goaway FLOW_CONTROL_ERROR",
      also: "reset FLOW_CONTROL_ERROR"
    }
  ],
  "6.10 CONTINUATION": [
    { name: "one", pieces: [begun(1), rest(1)], outcome: "answered" },
    {
      name: "several",
      pieces: [
        frame(types.headers, ended, 1),
        ...asking("/").map((field) => frame(types.continuation, 0, 1, block([field]))),
        frame(types.continuation, flags.endHeaders, 1)
      ],
      outcome: "answered"
    },
    { name: "behind a whole header", pieces: [waiting, rest(1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "behind the last one", pieces: [begun(1), rest(1), rest(1)], outcome: "goaway PROTOCOL_ERROR" },
    { name: "of no stream", pieces: [begun(1), rest(0)], outcome: "goaway PROTOCOL_ERROR" },
    {
      name: "behind DATA",
      pieces: [post(1, "/gate"), data(1, 1, 0), rest(1)],
      outcome: "goaway PROTOCOL_ERROR"
    }
  ],
  "8.1 message framing": [
    { name: "GET", pieces: [get(1)], outcome: "answered" },
    { name: "HEAD", pieces: [headers(1, asking("/", "HEAD"))], outcome: "answered" },
    {
      name: "POST, and trailers",
      pieces: [post(1), data(1, 5, 0), frame(types.headers, whole, 1, block([["x-sum", "1"]]))],
      outcome: "answered"
    },
    {
      name: "trailers that are not the end",
      pieces: [post(1), data(1, 5, 0), frame(types.headers, flags.endHeaders, 1, block([["x-sum", "1"]]))],
      outcome: "reset PROTOCOL_ERROR"
    }
  ]
}
