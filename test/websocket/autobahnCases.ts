/** The cases of Autobahn that concern frames, by its numbers: what is sent to either side, and what must come. */
import { brief, framesOf } from "./frames.ts"

export interface Case {
  readonly id: string
  readonly sent: ReadonlyArray<Uint8Array>
  readonly expected: ReadonlyArray<string>
}

/** What a fuzzer sends that is a client, or a server. */
export const casesOf = (sender: "client" | "server"): ReadonlyArray<Case> => {
  const { binary, close, frame, more, ping, pong, text } = framesOf(sender)

  const bye = close(1000)
  const byeAnswer = "close 1000"
  const failed = (code: number) => `close ${code}`

  /** Sent whole; the messages come back, and a Close behind them is answered. */
  const echoed = (id: string, sent: ReadonlyArray<Uint8Array>, expected: ReadonlyArray<string>): Case => ({
    id,
    sent: [...sent, bye],
    expected: [...expected, byeAnswer]
  })

  /** The connection fails with this code, and nothing behind it is looked at. */
  const refused = (
    id: string,
    sent: ReadonlyArray<Uint8Array>,
    code: number,
    before: ReadonlyArray<string> = []
  ): Case => ({ id, sent, expected: [...before, failed(code)] })

  // --- 1: framing; lengths ---------------------------------------------------------------------------------

  const lengths = [0, 125, 126, 127, 128, 65_535, 65_536, 65_536]
  const framing = lengths.flatMap((length, i) => [
    echoed(`1.1.${i + 1}`, [text("*".repeat(length))], [`text ${brief("*".repeat(length))}`]),
    echoed(`1.2.${i + 1}`, [binary(Buffer.alloc(length, 0xfe))], [`binary ${brief("þ".repeat(length))}`])
  ])

  // --- 2: pings and pongs ----------------------------------------------------------------------------------

  const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`)
  const pings = [
    echoed("2.1", [ping()], ["pong "]),
    echoed("2.2", [ping("Hello, world!")], ["pong Hello, world!"]),
    echoed("2.3", [ping(Buffer.from([0, 255, 254, 253, 252, 251, 0, 255]))], ["pong \0ÿþýüû\0ÿ"]),
    echoed("2.4", [ping(Buffer.alloc(125, 0xfe))], [`pong ${"þ".repeat(125)}`]),
    refused("2.5", [ping(Buffer.alloc(126, 0xfe))], 1002),
    echoed("2.7", [pong()], []),
    echoed("2.8", [pong("unsolicited pong payload")], []),
    echoed("2.9", [pong("unsolicited pong payload"), ping("ping payload")], ["pong ping payload"]),
    ...Array.from({ length: 126 }, (_, i) => i)
      .filter((i) => i % 25 === 0)
      .map((i) => echoed(`2.6 of ${i}`, [ping(Buffer.alloc(i, 0xfe))], [`pong ${"þ".repeat(i)}`])),
    echoed(
      "2.11",
      ten.flatMap((payload) => [ping(payload), text(payload)]),
      ten.flatMap((payload) => [`pong ${payload}`, `text ${payload}`])
    ),
    echoed(
      "2.10",
      ten.map((payload) => ping(payload)),
      ten.map((payload) => `pong ${payload}`)
    )
  ]

  // --- 3: reserved bits ------------------------------------------------------------------------------------

  const small = "Hello, world!"
  const reserved = [
    refused("3.1", [text(small, { rsv: 1 })], 1002),
    refused("3.2", [text(small), text(small, { rsv: 2 }), ping()], 1002, [`text ${small}`]),
    refused("3.3", [text(small), text(small, { rsv: 3 }), ping()], 1002, [`text ${small}`]),
    refused("3.4", [text(small), text(small, { rsv: 4 }), ping()], 1002, [`text ${small}`]),
    refused("3.5", [binary(Buffer.alloc(8, 0xff), { rsv: 5 })], 1002),
    refused("3.6", [ping(small, { rsv: 6 })], 1002),
    refused("3.7", [frame(8, Buffer.from([3, 232]), { rsv: 7 })], 1002)
  ]

  // --- 4: reserved opcodes ---------------------------------------------------------------------------------

  const opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode, i) => {
    const group = opcode < 8 ? `4.1.${i + 1}` : `4.2.${i - 4}`
    return [
      refused(group, [frame(opcode)], 1002),
      refused(`${group} behind text`, [text(small), frame(opcode, small), ping()], 1002, [`text ${small}`])
    ]
  })

  // --- 5: fragments ----------------------------------------------------------------------------------------

  const open = { fin: false }
  const fragments = [
    refused("5.1", [ping("fragment1", open), more("fragment2")], 1002),
    refused("5.2", [pong("fragment1", open), more("fragment2")], 1002),
    echoed("5.3", [text("fragment1", open), more("fragment2")], ["text fragment1fragment2"]),
    echoed(
      "5.6",
      [text("fragment1", open), ping("ping"), more("fragment2")],
      ["pong ping", "text fragment1fragment2"]
    ),
    refused("5.9", [more("non-continuation payload"), text(small)], 1002),
    refused("5.12", [more("non-continuation payload", open), text(small)], 1002),
    refused(
      "5.15",
      [text("fragment1", open), more("fragment2"), more("fragment3", open), text("fragment4")],
      1002,
      ["text fragment1fragment2"]
    ),
    refused("5.18", [text("fragment1", open), text("fragment2")], 1002),
    echoed(
      "5.19",
      [
        text("fragment1", open),
        more("fragment2", open),
        ping("one"),
        more("fragment3", open),
        more("fragment4", open),
        ping("two"),
        more("fragment5")
      ],
      ["pong one", "pong two", "text fragment1fragment2fragment3fragment4fragment5"]
    ),
    echoed("5.20 empty fragments", [text("", open), more("", open), more("")], ["text "])
  ]

  // --- 6: UTF-8 --------------------------------------------------------------------------------------------

  const utf8 = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex")

  /** Valid: 6.2, 6.5 to 6.9, 6.17, 6.22, 6.23. */
  const valid: Readonly<Record<string, string>> = {
    "6.1.1": "",
    "6.2.1": "48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121",
    "6.5.1": "ceba",
    "6.5.2": "cebae1bdb9cf83cebcceb5",
    "6.6.2": "ceba",
    "6.6.5": "cebae1bdb9",
    "6.6.7": "cebae1bdb9cf83",
    "6.6.9": "cebae1bdb9cf83cebc",
    "6.6.11": "cebae1bdb9cf83cebcceb5",
    "6.7.1": "00",
    "6.7.2": "c280",
    "6.7.3": "e0a080",
    "6.7.4": "f0908080",
    "6.9.1": "7f",
    "6.9.2": "dfbf",
    "6.9.3": "efbfbf",
    "6.9.4": "f48fbfbf",
    "6.11.1": "ed9fbf",
    "6.11.2": "ee8080",
    "6.11.3": "efbfbd",
    "6.11.4": "f48fbfbf",
    "6.22.1": "efbfbe",
    "6.22.2": "efbfbf",
    "6.22.3": "f09fbfbe",
    "6.22.34": "f48fbfbf",
    "6.23.1": "efbfb9",
    "6.23.7": "efbfbf"
  }

  const invalid: Readonly<Record<string, string>> = {
    "6.3.1": "cebae1bdb9cf83cebcceb5eda080656469746564",
    "6.4.1": "cebae1bdb9cf83cebcceb5f4908080656469746564",
    "6.6.1": "ce",
    "6.6.3": "cebae1",
    "6.6.4": "cebae1bd",
    "6.6.6": "cebae1bdb9cf",
    "6.6.8": "cebae1bdb9cf83ce",
    "6.6.10": "cebae1bdb9cf83cebcce",
    "6.8.1": "f888808080",
    "6.8.2": "fc8480808080",
    "6.10.1": "f7bfbfbf",
    "6.10.2": "fbbfbfbfbf",
    "6.10.3": "fdbfbfbfbfbf",
    "6.11.5": "f4908080",
    "6.12.1": "80",
    "6.12.2": "bf",
    "6.12.3": "80bf",
    "6.12.7": "80bf80bf80bf",
    "6.13.1": "c020c120c220c320c420c520c620c720",
    "6.13.2": "e020e120e220e320",
    "6.13.3": "f020f120f220f320",
    "6.13.4": "f820f920fa20",
    "6.13.5": "fc20",
    "6.14.1": "c0",
    "6.14.2": "e080",
    "6.14.3": "f08080",
    "6.14.6": "df",
    "6.14.7": "efbf",
    "6.14.8": "f7bfbf",
    "6.15.1": "c0e080f08080f8808080",
    "6.16.1": "fe",
    "6.16.2": "ff",
    "6.16.3": "fefeffff",
    "6.17.1": "c0af",
    "6.17.2": "e080af",
    "6.17.3": "f08080af",
    "6.18.1": "c1bf",
    "6.18.2": "e09fbf",
    "6.18.3": "f08fbfbf",
    "6.19.1": "c080",
    "6.19.2": "e08080",
    "6.19.3": "f0808080",
    "6.20.1": "eda080",
    "6.20.2": "edadbf",
    "6.20.3": "edae80",
    "6.20.5": "edb080",
    "6.20.7": "edbfbf",
    "6.21.1": "eda080edb080",
    "6.21.4": "edaebfedbfbf",
    "6.21.8": "edafbfedbfbf"
  }

  /** The same, a frame for each byte. */
  const split = (bytes: Buffer): ReadonlyArray<Uint8Array> => [
    text(bytes.subarray(0, 1), open),
    ...[...bytes.subarray(1)].map((byte) => more(Uint8Array.of(byte), open)),
    more("")
  ]

  const texts = [
    ...Object.entries(valid).flatMap(([id, hex]) => [
      echoed(id, [text(utf8(hex))], [`text ${utf8(hex).toString()}`]),
      echoed(`${id} in fragments of a byte`, split(utf8(hex)), [`text ${utf8(hex).toString()}`])
    ]),
    ...Object.entries(invalid).flatMap(([id, hex]) => [
      refused(id, [text(utf8(hex)), text("behind")], 1007),
      refused(`${id} in fragments of a byte`, [...split(utf8(hex)), text("behind")], 1007)
    ])
  ]

  const valid3 = utf8("cebae1bdb9cf83cebcceb5")
  const spoiled = utf8("f4908080")
  const behind = utf8("656469746564")
  const whole = text(Buffer.concat([valid3, spoiled, behind]))
  const headLength = whole.length - valid3.length - spoiled.length - behind.length

  /** Refused before its end comes: it never does. */
  const strict = [
    refused("6.4.1 at once", [text(valid3, open), more(spoiled, open)], 1007),
    refused("6.4.2 at once", [text(Buffer.concat([valid3, utf8("f4")]), open), more(utf8("90"), open)], 1007),
    refused("6.4.3 at once", [whole.subarray(0, headLength + valid3.length + 4)], 1007),
    refused("6.4.4 at once", [whole.subarray(0, headLength + valid3.length + 2)], 1007),
    refused(
      "6.4 in the second frame of it",
      [
        text(valid3, open),
        more(Buffer.concat([behind, utf8("ff"), behind])).subarray(0, headLength + behind.length + 1)
      ],
      1007
    ),
    echoed(
      "6.4 what is whole in pieces",
      [text(valid3, open), ping("x"), more(valid3)],
      ["pong x", `text ${valid3.toString().repeat(2)}`]
    )
  ]

  // --- 7: the end ------------------------------------------------------------------------------------------

  const sendable = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999
  ]
  const unsendable = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
  const ends = [
    echoed("7.1.1", [text("Hello World!")], ["text Hello World!"]),
    { id: "7.1.2", sent: [bye, bye], expected: [byeAnswer] },
    { id: "7.1.3", sent: [bye, ping()], expected: [byeAnswer] },
    { id: "7.1.4", sent: [bye, text(small)], expected: [byeAnswer] },
    { id: "7.1.5", sent: [text("fragment1", open), bye, more("fragment2")], expected: [byeAnswer] },
    { id: "7.1.6", sent: [text("x".repeat(262_144)), bye, ping()], expected: ["text of 262144", byeAnswer] },
    { id: "7.3.1", sent: [close()], expected: ["close"] },
    refused("7.3.2", [frame(8, "a")], 1002),
    { id: "7.3.3", sent: [close(1000)], expected: [byeAnswer] },
    { id: "7.3.4", sent: [close(1000, small)], expected: [byeAnswer] },
    { id: "7.3.5", sent: [close(1000, "x".repeat(123))], expected: [byeAnswer] },
    refused("7.3.6", [close(1000, "x".repeat(124))], 1002),
    refused("7.5.1", [close(1000, utf8(invalid["6.3.1"]!))], 1007),
    ...sendable.map((code): Case => ({
      id: `7.7 ${code}`,
      sent: [close(code)],
      expected: [`close ${code}`]
    })),
    ...unsendable.map((code) => refused(`7.9 ${code}`, [close(code), text("behind")], 1002))
  ]

  // --- 9: sizes; 10: what else -------------------------------------------------------------------------------

  const pieces = (length: number, size: number): ReadonlyArray<Uint8Array> => [
    text("*".repeat(size), open),
    ...Array.from({ length: length / size - 2 }, () => more("*".repeat(size), open)),
    more("*".repeat(size))
  ]
  const sizes = [
    echoed("9.1.1", [text("*".repeat(65_536))], ["text of 65536"]),
    echoed("9.1.2", [text("*".repeat(262_144))], ["text of 262144"]),
    echoed("9.1.3", [text("*".repeat(1_048_576))], ["text of 1048576"]),
    echoed("9.2.3", [binary(Buffer.alloc(1_048_576, 0xfe))], ["binary of 1048576"]),
    echoed("9.3.1", pieces(1_048_576, 64), ["text of 1048576"]),
    echoed("9.3.4", pieces(1_048_576, 4_096), ["text of 1048576"]),
    echoed(
      "9.4.4",
      [
        binary(Buffer.alloc(4_096, 0xfe), open),
        ...Array.from({ length: 254 }, () => more(Buffer.alloc(4_096, 0xfe), open)),
        more(Buffer.alloc(4_096, 0xfe))
      ],
      ["binary of 1048576"]
    ),
    echoed(
      "9.7.1",
      Array.from({ length: 1_000 }, () => text("")),
      Array.from({ length: 1_000 }, () => "text ")
    ),
    echoed(
      "9.8.3",
      Array.from({ length: 1_000 }, () => binary(Buffer.alloc(64, 0x2a))),
      Array.from({ length: 1_000 }, () => `binary ${"*".repeat(64)}`)
    ),
    refused("9.1.4 above the limit", [text("*".repeat(1_048_577))], 1009),
    refused(
      "9.3 above the limit of bytes",
      [...pieces(1_048_576, 4_096).slice(0, -1), more("*".repeat(4_097))],
      1009
    ),
    refused(
      "9.3 above the limit of fragments",
      Array.from({ length: 16_385 }, (_, i) => (i === 0 ? text : more)("*", open)),
      1008
    ),
    refused(
      "a length above what numbers can tell",
      [Buffer.from([0x82, sender === "client" ? 0xff : 0x7f, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
      1009
    ),
    refused(
      sender === "client" ? "a client's that is not masked" : "a server's that is masked",
      [text(small, { masked: sender === "server" })],
      1002
    ),
    echoed("10.1.1", [text("x".repeat(65_536), { length: "64" })], ["text of 65536"])
  ]

  return [...framing, ...pings, ...reserved, ...opcodes, ...fragments, ...texts, ...strict, ...ends, ...sizes]
}
