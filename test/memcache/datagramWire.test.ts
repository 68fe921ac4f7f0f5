/** memcached over UDP, without a network: datagrams, what is answered and above all what is not, and answers put together. */
import { assert, describe, it } from "@effect/vitest"
import * as MemcacheCommand from "../../src/memcache/MemcacheCommand.ts"
import { MemcacheDatagramAnswer } from "../../src/memcache/MemcacheDatagramAnswer.ts"
import * as MemcacheDatagramSession from "../../src/memcache/MemcacheDatagramSession.ts"
import * as Wire from "../../src/memcache/MemcacheDatagramWire.ts"
import * as MemcacheEngine from "../../src/memcache/MemcacheEngine.ts"
import * as MemcacheLru from "../../src/memcache/MemcacheLru.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"
import { answered, bytes, datagram, text } from "./datagrams.ts"
import { scripts } from "./scripts.ts"

const session = (options?: MemcacheDatagramSession.Options, asksWho = false) => {
  const store = MemcacheLru.make({ bytesMax: 4_000_000 })
  const engine = new MemcacheEngine.MemcacheEngine(store, { startedAt: 0, asksWho })
  const made = new MemcacheDatagramSession.MemcacheDatagramSession(engine, options)
  const say = (datagram: Uint8Array) => made.answer(datagram, 1_000_000)
  return {
    engine,
    say,
    /** What is said to a request in one datagram. */
    ask: (request: string, requestId = 7) => answered(say(datagram(request, requestId)), requestId)
  }
}

describe("datagrams", () => {
  it("have a request id, a number and a count, high byte first, and a field of zeros", () => {
    const [one] = Wire.split(0x1234, [bytes("get k\r\n")], 1_400)
    assert.strictEqual(Buffer.from(one!).toString("hex"), `12340000000100006765${"74206b0d0a"}`)
    assert.deepStrictEqual(Wire.headerOf(one!), { requestId: 0x1234, sequence: 0, count: 1 })
    assert.isUndefined(Wire.headerOf(one!.subarray(0, 7)))
    assert.deepStrictEqual(Wire.split(1, [], 1_400), [])
  })

  it("a message is cut and put together again, in whatever order its parts come, and however often", () => {
    const below = numbers(5)
    for (let i = 0; i < 500; i++) {
      const pieces = Array.from({ length: below(5) }, () =>
        Uint8Array.from({ length: below(4) * below(300) }, () => below(256))
      )
      const message = Buffer.concat(pieces)
      const size = 9 + below(200)
      const parts = Wire.split(i, pieces, size)
      assert.strictEqual(parts.length, Math.ceil(message.length / (size - 8)))
      for (const part of parts.slice(0, -1)) assert.strictEqual(part.length, size)
      const order = [...parts, ...parts.filter(() => below(3) === 0)].sort(() => below(3) - 1)
      const assembly = new Wire.Assembly(message.length)
      const seen = new Set<Uint8Array>()
      for (const part of order) {
        const header = Wire.headerOf(part)!
        assert.strictEqual(header.requestId, i)
        const whole = assembly.add(header, Wire.payloadOf(part))
        const isLast = !seen.has(part) && seen.add(part).size === parts.length
        if (isLast) assert.deepStrictEqual(Buffer.from(whole as Uint8Array), message)
        else assert.isTrue(whole === undefined || parts.length === 1)
      }
    }
  })

  it("parts that cannot be of one message, and more than is taken", () => {
    const add = (assembly: Wire.Assembly, sequence: number, count: number, payload = "x") =>
      assembly.add({ requestId: 1, sequence, count }, bytes(payload))
    assert.strictEqual(add(new Wire.Assembly(9), 2, 2), "Contradiction")
    assert.strictEqual(add(new Wire.Assembly(9), 0, 0), "Contradiction")
    const changing = new Wire.Assembly(9)
    assert.isUndefined(add(changing, 0, 2))
    assert.strictEqual(add(changing, 1, 3), "Contradiction")
    const long = new Wire.Assembly(9)
    assert.isUndefined(add(long, 0, 2, "12345"))
    assert.strictEqual(add(long, 1, 2, "12345"), "TooLong")
    assert.throws(() => Wire.split(1, [new Uint8Array(65_536)], 9), RangeError)
  })
})

describe("a request of one datagram", () => {
  for (const { hears, name, says } of scripts) {
    if (hears.includes("ERROR\r\n") || says.includes("HTTP")) continue
    it(`is answered as over a connection: ${name}`, () => assert.strictEqual(session().ask(says), hears))
  }

  it("what its commands lack is told", () => {
    const { ask } = session()
    assert.strictEqual(ask("get\r\n"), "ERROR\r\n")
    assert.strictEqual(ask(`get ${"k".repeat(251)}\r\n`), "CLIENT_ERROR bad command line format\r\n")
    assert.strictEqual(ask("set k 0 0 2\r\nabcdefg\r\n"), "CLIENT_ERROR bad data chunk\r\n")
    assert.strictEqual(ask("set k 0 0 x\r\nab\r\n"), "CLIENT_ERROR bad command line format\r\n")
  })

  it("what wants no answer gets none", () => {
    const { ask, engine } = session()
    for (const request of [
      "set k 0 0 1 noreply\r\n1\r\n",
      "delete none noreply\r\n",
      "quit\r\n",
      "mg k v q\r\n"
    ])
      assert.strictEqual(ask(request), request.startsWith("mg") ? "VA 1\r\n1\r\n" : "", request)
    assert.strictEqual(engine.counters.udp_ignored, 0)
  })

  it("keys with control characters are taken, as memcached does", () => {
    const { ask } = session()
    assert.strictEqual(
      ask("set \x10\x7f\t 0 0 1\r\n1\r\nget \x10\x7f\t\r\n"),
      "STORED\r\nVALUE \x10\x7f\t 0 1\r\n1\r\nEND\r\n"
    )
    assert.strictEqual(ask("get a\0b\r\n"), "CLIENT_ERROR bad command line format\r\n")
  })

  it("an answer has parts of 1,400 bytes, or of what is said", () => {
    const value = "v".repeat(3_000)
    for (const [datagramBytesMax, count] of [
      [undefined, 3],
      [508, 7],
      [65_507, 1]
    ] as const) {
      const { ask, say } = session({ datagramBytesMax })
      ask(`set k 0 0 3000\r\n${value}\r\n`)
      const parts = say(datagram("get k\r\n", 65_535))
      assert.strictEqual(parts.length, count)
      assert.isAtMost(Math.max(...parts.map(({ length }) => length)), datagramBytesMax ?? 1_400)
      assert.strictEqual(answered(parts, 65_535), `VALUE k 0 3000\r\n${value}\r\nEND\r\n`)
    }
  })

  it("an answer that is too long is told instead", () => {
    const { ask, say } = session({ answerBytesMax: 1_000 })
    ask(`set k 0 0 900\r\n${"v".repeat(900)}\r\n`)
    assert.strictEqual(ask("get k\r\n").length, 900 + "VALUE k 0 900\r\n\r\nEND\r\n".length)
    assert.strictEqual(ask("get k k\r\n"), "SERVER_ERROR the answer is too long for UDP\r\n")
    // However much is asked for at once, no more is made than a connection may have unsent.
    assert.strictEqual(say(datagram(`get ${"k ".repeat(30_000)}\r\n`, 1)).length, 1)
    const wide = session({ answerBytesMax: 10_000_000 })
    wide.ask(`set k 0 0 60000\r\n${"v".repeat(60_000)}\r\n`)
    assert.strictEqual(
      wide.ask(`get ${"k ".repeat(9)}\r\n`),
      "SERVER_ERROR the answer is too long for UDP\r\n"
    )
  })

  it("the longest answer in the smallest datagrams can be numbered", () => {
    const { ask, say } = session({ answerBytesMax: 1_000_000, datagramBytesMax: 1 })
    ask(`set k 0 0 52000\r\n${"v".repeat(52_000)}\r\n`)
    const parts = say(datagram("get k k k k k\r\n", 1))
    assert.strictEqual(answered(parts, 1).length, 5 * 52_000 + 5 * "VALUE k 0 52000\r\n\r\n".length + 5)
  })

  it("where users are known, nobody is", () => {
    const { ask, engine } = session({}, true)
    assert.strictEqual(ask("set k 0 0 1\r\n1\r\n"), "CLIENT_ERROR unauthenticated\r\n")
    assert.strictEqual(ask("get k\r\n"), "CLIENT_ERROR unauthenticated\r\n")
    assert.strictEqual(engine.store.counts().items, 0)
  })
})

describe("not answered, and nothing of it done", () => {
  const ignores = (made: ReturnType<typeof session>, datagram: Uint8Array, what: string) => {
    const before = made.engine.counters.udp_ignored
    assert.deepStrictEqual(made.say(datagram), [], what)
    assert.strictEqual(made.engine.counters.udp_ignored, before + 1, what)
    assert.strictEqual(made.engine.store.counts().items, 0, what)
  }

  it("what is not all commands", () => {
    const made = session()
    for (const request of [
      "",
      "\r\n",
      "get k",
      "hello\r\n",
      "set k 0 0 1\r\n1\r\nhello\r\n",
      "set k 0 0 1\r\n1\r\nget k",
      "set k 0 0 5\r\n123",
      "GET k\r\n",
      "\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00k"
    ])
      ignores(made, datagram(request, 1), JSON.stringify(request))
    ignores(made, bytes("get k\r"), "less than a header")
    assert.strictEqual(made.ask("mn\r\n"), "MN\r\n")
  })

  it("a part of a longer request", () => {
    const made = session()
    const set = "set k 0 0 1\r\n1\r\n"
    for (const [sequence, count] of [
      [0, 2],
      [1, 2],
      [1, 1],
      [0, 0],
      [0, 65_535]
    ] as const)
      ignores(made, datagram(set, 1, sequence, count), `${sequence} of ${count}`)
    // What is reserved is nobody's business yet.
    assert.strictEqual(answered(made.say(datagram(set, 1, 0, 1, 5)), 1), "STORED\r\n")
  })

  it("anything that a memcached answers: two of them are never set upon each other", () => {
    for (const { hears, name } of scripts) {
      if (hears !== "") ignores(session(), datagram(hears, 1), name)
    }
    // A value that is made to look like commands is behind a line that is none.
    const { ask, say } = session()
    const value = "\r\nflush_all\r\nget evil\r\n"
    ask(`set evil 0 0 ${value.length}\r\n${value}\r\n`)
    for (const request of [
      "get evil\r\n",
      "mg evil v\r\n",
      "stats\r\n",
      "stats settings\r\n",
      "version\r\n",
      "incr evil 1\r\n",
      "lru_crawler metadump all\r\n",
      "lru_crawler mgdump all\r\n",
      "stats cachedump 1 0\r\n"
    ]) {
      for (const answer of say(datagram(request, 1))) ignores(session(), answer, request)
    }
    // In the second part the value may stand in front; it is a part.
    const cut = session({ datagramBytesMax: 27 })
    cut.ask(`set evil 0 0 ${value.length}\r\n${value}\r\n`)
    const parts = cut.say(datagram("get evil\r\n", 1))
    for (const part of parts) ignores(session(), part, "a part")
    assert.isTrue(parts.some((part) => text(Wire.payloadOf(part)).startsWith("flush_all")))
  })
})

describe("an answer, as a client reads it", () => {
  const get = MemcacheCommand.get("get", ["k"])
  const command = get._tag === "Success" ? get.success : assert.fail()
  const said = (message: string, valueBytesMax?: number) =>
    new MemcacheDatagramAnswer(command, { valueBytesMax }).add(
      { requestId: 1, sequence: 0, count: 1 },
      bytes(message)
    )

  it("all replies, a complaint, or what is no answer", () => {
    const found = said("VALUE k 0 2\r\nhi\r\nEND\r\n")
    assert.strictEqual(found?._tag === "Success" && found.success.length, 2)
    for (const [message, reason] of [
      ["CLIENT_ERROR no\r\n", "ClientError"],
      ["SERVER_ERROR no\r\n", "ServerError"],
      ["ERROR\r\n", "NoSuchCommand"],
      ["", "Malformed"],
      ["END", "Malformed"],
      ["VALUE k 0 2\r\nhi\r\n", "Malformed"],
      ["VALUE other 0 2\r\nhi\r\nEND\r\n", "Malformed"],
      ["VALUE k 0 2\r\nhiho\r\nEND\r\n", "Malformed"],
      ["STORED\r\n", "Malformed"],
      ["END\r\nEN", "Malformed"],
      ["END\r\nEND\r\n", "Malformed"]
    ] as const) {
      const wrong = said(message)
      assert.strictEqual(wrong?._tag === "Failure" && wrong.failure._tag, reason, message)
    }
    const large = said("VALUE k 0 11\r\nhello world\r\nEND\r\n", 10)
    assert.strictEqual(large?._tag, "Failure")
  })

  it("from inputs by chance: something, and never thrown", () => {
    const below = numbers(3)
    const words = ["VALUE k 0 2\r\n", "hi\r\n", "END\r\n", "ERROR\r\n", "VA 2\r\n", "\r\n", "x"]
    for (let i = inputsCount(5_000); i > 0; i--) {
      const message = Array.from({ length: below(6) }, () => words[below(words.length)]).join("")
      const parts = Wire.split(1, [bytes(message)], 9 + below(30))
      const answer = new MemcacheDatagramAnswer(command)
      const heard = parts.map((part) => answer.add(Wire.headerOf(part)!, Wire.payloadOf(part)))
      assert.isTrue(heard.slice(0, -1).every((said) => said === undefined))
      const last = heard.at(-1)
      if (last?._tag === "Success") assert.match(message, /^(VALUE k 0 2\r\n[^]{2}\r\n)*END\r\n$/)
    }
  })
})

describe("inputs by chance", () => {
  it("are answered by datagrams that a client puts together, and that no memcached answers", () => {
    const examples = scripts.map(({ says }) => `\0\x01\0\0\0\x01\0\0${says}`)
    const words = [
      "\0\x01\0\0\0\x01\0\0",
      "get k\r\n",
      "set k 0 0 2\r\n",
      "hi\r\n",
      "incr k 1\r\n",
      "mg k v\r\n",
      "stats\r\n",
      "lru_crawler mgdump all\r\n",
      "\0"
    ]
    const made = session({ datagramBytesMax: 40, answerBytesMax: 3_000 })
    const other = session()
    let answers = 0
    fuzz({ words, examples, inputs: inputsCount(20_000) }, (input) => {
      const parts = made.say(input)
      if (parts.length === 0) return
      answers++
      const whole = answered(parts, Wire.headerOf(input)!.requestId)
      assert.isAtMost(whole.length, 3_000)
      assert.match(whole, /\r\n$/)
      const before = other.engine.counters.udp_ignored
      for (const part of parts) assert.deepStrictEqual(other.say(part), [], text(part))
      assert.deepStrictEqual(other.say(Wire.split(1, [bytes(whole)], 65_507)[0]!), [])
      assert.strictEqual(other.engine.counters.udp_ignored, before + parts.length + 1)
    })
    assert.isAbove(answers, inputsCount(20_000) / 10)
  })
})
