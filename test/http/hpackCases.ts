/** Header blocks as they may be, and must not, by section of RFC 7541; and what becomes of the request. */
import type { Case } from "./http2Cases.ts"
import { flags, frame, types } from "./http2Kit.ts"

const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value)])
/** "www.example.com" in Huffman's code (Appendix C.4.1). */
const coded = Buffer.from("8cf1e3c2e5f23a6ba0ab90f4ff", "hex")
/** Two fields of the static table, a third one, and what says where: `:method: GET`, `:scheme: http`, `:path: /`. */
const common = Buffer.of(0x82, 0x86, 0x84)
const authority = Buffer.concat([Buffer.of(0x41), text("www.example.com")])
const whole = flags.endHeaders | flags.endStream

const block = (...parts: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => [
  frame(types.headers, whole, 1, Buffer.concat(parts))
]
const good = (name: string, ...parts: ReadonlyArray<Uint8Array>): Case => ({
  name,
  pieces: block(common, ...parts),
  outcome: "answered"
})
const bad = (name: string, ...parts: ReadonlyArray<Uint8Array>): Case => ({
  name,
  pieces: block(common, authority, ...parts),
  outcome: "goaway COMPRESSION_ERROR"
})
/** Of the table's size: a 5-bit prefix behind 001. */
const small = Buffer.of(0x20)
const back = Buffer.from([0x3f, 0xe1, 0x1f])

/** The table, in the order of the RFC. */
export const cases: Readonly<Record<string, ReadonlyArray<Case>>> = {
  "2.3.3 index address space": [
    bad("an index that nothing has", Buffer.of(0xff, 0x00)),
    bad("a name by an index that nothing has", Buffer.concat([Buffer.of(0x7f, 0x80, 0x01), text("a")])),
    good("a field that was added before", authority, Buffer.of(0x40), text("x-a"), text("1"), Buffer.of(0xbe))
  ],
  "4.2 maximum table size": [
    { name: "smaller, at the beginning", pieces: block(small, common, authority), outcome: "answered" },
    { name: "smaller, and as before", pieces: block(small, back, common, authority), outcome: "answered" },
    bad("at the end", small),
    bad("in between", small, Buffer.of(0x82))
  ],
  "5.1 integers": [
    bad("one that does not end", Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
    bad("one that is cut off", Buffer.of(0xff)),
    good("a long way to say little", Buffer.from([0x01, 0x0f]), Buffer.from("www.example.com"))
  ],
  "5.2 strings": [
    good("in Huffman's code", Buffer.of(0x41), coded),
    bad("padding of eight bits", Buffer.of(0x01), Buffer.from("8df1e3c2e5f23a6ba0ab90f4ffff", "hex")),
    bad("padding with zeros", Buffer.of(0x01), Buffer.from("8cf1e3c2e5f23a6ba0ab90f4fe", "hex")),
    bad("the end of the string, spelled out", Buffer.of(0x00), Buffer.from("84fffffffc", "hex"), text("a")),
    bad("longer than the block", Buffer.of(0x00, 0x7f, 0xff, 0x01))
  ],
  "6.1 indexed fields": [bad("an index of 0", Buffer.of(0x80))],
  "6.2 literal fields": [
    good("kept, a known name", authority),
    good("kept, a new name", authority, Buffer.of(0x40), text("x-a"), text("1")),
    good("not kept, a known name", Buffer.of(0x01), text("www.example.com")),
    good("not kept, a new name", authority, Buffer.of(0x00), text("x-a"), text("1")),
    good("never kept, a known name", Buffer.of(0x11), text("www.example.com")),
    good("never kept, a new name", authority, Buffer.of(0x10), text("x-a"), text("1")),
    good("not kept, a known name, in Huffman's code", Buffer.of(0x01), coded),
    good("never kept, a known name, in Huffman's code", Buffer.of(0x11), coded)
  ],
  "6.3 table size": [
    {
      name: "more than was offered",
      pieces: block(Buffer.from([0x3f, 0xe2, 0x1f]), common, authority),
      outcome: "goaway COMPRESSION_ERROR"
    }
  ]
}
