/** Queries and answers as lines, in the order of RFC 1413; and the tables of Linux. */
import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as IdentProcWire from "../../src/ident/IdentProcWire.ts"
import * as IdentWire from "../../src/ident/IdentWire.ts"
import { fuzz, inputsCount, numbers } from "../support/randomBytes.ts"

const query = { portOnServer: 6193, portOnClient: 23 }
const unix = (user: string): IdentWire.Answer => ({ _tag: "UserId", system: "UNIX", user })

describe("4: the query", () => {
  it("two ports and a comma, with or without blanks", () => {
    for (const line of ["6193,23", "6193, 23", " 6193 , 23 ", "\t6193\t,\t23\t", "06193,0000000023"]) {
      assert.deepStrictEqual(Result.getOrThrow(IdentWire.parseQuery(line)), query, line)
    }
    assert.strictEqual(Result.getOrThrow(IdentWire.formatQuery(query)), "6193, 23")
  })

  it("what is none", () => {
    const lines = [
      "",
      ",",
      "1",
      "1,",
      "1,2,3",
      "a,b",
      "+1,2",
      "-1,2",
      "1.0,2",
      "0x1,2",
      "1 1,2",
      "1e3,2",
      "12345678901,1"
    ]
    for (const line of lines) assert.isTrue(Result.isFailure(IdentWire.parseQuery(line)), line)
  })

  it("ports out of range are the server's to refuse, and never asked for", () => {
    for (const port of [0, 65_536, 4_294_967_296]) {
      const wrong = Result.getOrThrow(IdentWire.parseQuery(`${port},23`))
      assert.isFalse(IdentWire.isValid(wrong))
      assert.isTrue(Result.isFailure(IdentWire.formatQuery(wrong)))
    }
  })
})

describe("5, 6: the answer", () => {
  const lines: ReadonlyArray<readonly [string, IdentWire.Answer]> = [
    ["6193, 23 : USERID : UNIX : stjohns", unix("stjohns")],
    [
      "6193, 23 : USERID : OTHER : StJohns@DCCS.MITRE.ORG: x",
      { _tag: "UserId", system: "OTHER", user: "StJohns@DCCS.MITRE.ORG: x" }
    ],
    [
      "6193, 23 : USERID : UNIX, UTF-8 : jürgen",
      { _tag: "UserId", system: "UNIX", charset: "UTF-8", user: "jürgen" }
    ],
    ["6193, 23 : ERROR : NO-USER", IdentWire.noUser],
    ["6193, 23 : ERROR : INVALID-PORT", IdentWire.invalidPort],
    ["6193, 23 : ERROR : HIDDEN-USER", IdentWire.hiddenUser],
    ["6193, 23 : ERROR : UNKNOWN-ERROR", IdentWire.unknownError],
    ["6193, 23 : ERROR : X-TOO-BUSY", { _tag: "Refusal", error: "X-TOO-BUSY" }]
  ]

  it("both ways", () => {
    for (const [line, answer] of lines) {
      assert.strictEqual(IdentWire.formatAnswer(query, answer), line)
      assert.deepStrictEqual(Result.getOrThrow(IdentWire.parseAnswer(line)), { query, answer })
    }
    for (const line of ["6193,23:USERID:UNIX:stjohns", " 6193 ,23 :  USERID :UNIX :   stjohns"]) {
      assert.deepStrictEqual(Result.getOrThrow(IdentWire.parseAnswer(line)), {
        query,
        answer: unix("stjohns")
      })
    }
  })

  it("what cannot be said is UNKNOWN-ERROR; what cannot be seen is written out", () => {
    const said = (answer: IdentWire.Answer) => IdentWire.formatAnswer(query, answer)
    for (const user of ["", " x", "u".repeat(513), "ü".repeat(257)]) {
      assert.strictEqual(said(unix(user)), "6193, 23 : ERROR : UNKNOWN-ERROR", user)
    }
    assert.strictEqual(said({ _tag: "UserId", system: "A B", user: "x" }), "6193, 23 : ERROR : UNKNOWN-ERROR")
    assert.strictEqual(
      said({ _tag: "Refusal", error: "X\r\n1,1:ERROR:X" }),
      "6193, 23 : ERROR : UNKNOWN-ERROR"
    )
    assert.strictEqual(
      said(unix("a\r\n6193, 23 : USERID : UNIX : root")),
      String.raw`6193, 23 : USERID : UNIX : a\r\n6193, 23 : USERID : UNIX : root`
    )
  })

  it("what is none", () => {
    for (const line of [
      "",
      "6193, 23",
      "6193, 23 : USERID : UNIX",
      "6193, 23 : USERID : UNIX : ",
      "6193, 23 : USERID : UNIX, A, B : x",
      "6193, 23 : USERID :  : x",
      "6193, 23 : ERROR : SOMETHING",
      "6193, 23 : ERROR : X",
      "6193, 23 : ERROR : X\u009d",
      "6193, 23 : USERID : \u009d : x",
      "6193, 23 : ERROR : NO-USER : more",
      "x, 23 : ERROR : NO-USER",
      `6193, 23 : USERID : UNIX : ${"u".repeat(513)}`,
      `6193, 23 : USERID : UNIX : ${"u".repeat(1000)}`
    ]) {
      assert.isTrue(Result.isFailure(IdentWire.parseAnswer(line)), line)
    }
  })

  it("law: what is said is understood", () => {
    const below = numbers(5)
    for (let i = 0; i < 2_000; i++) {
      const asked = { portOnServer: 1 + below(65_535), portOnClient: 1 + below(65_535) }
      const user = Array.from({ length: 1 + below(30) }, () => String.fromCodePoint(0x21 + below(0x5d))).join(
        ""
      )
      const line = IdentWire.formatAnswer(asked, unix(user))
      assert.deepStrictEqual(Result.getOrThrow(IdentWire.parseAnswer(line)), {
        query: asked,
        answer: unix(user)
      })
    }
  })

  it("fuzzing: nothing throws, and nothing comes through that cannot be seen", () => {
    const words = [
      "6193",
      ",",
      " ",
      ":",
      "USERID",
      "ERROR",
      "UNIX",
      "NO-USER",
      "X",
      "\x1b",
      "\0",
      "ü",
      "99999999999"
    ]
    fuzz({ words, examples: lines.map(([line]) => line), inputs: inputsCount(20_000) }, (input) => {
      const text = new TextDecoder().decode(input)
      IdentWire.parseQuery(text)
      const answered = IdentWire.parseAnswer(text)
      if (Result.isFailure(answered)) return
      const { answer } = answered.success
      // oxlint-disable-next-line no-control-regex
      assert.notMatch(answer._tag === "UserId" ? answer.user : answer.error, /[\x00-\x1f\x7f-\x9f]/)
    })
  })
})

describe("the tables of Linux", () => {
  const head =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
  const row = (local: string, peer: string, state: string, uid: number, inode = 4026) =>
    `   0: ${local} ${peer} ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 ${inode} 1 0\n`
  const end = (address: string, port: number) => NetAddress.inetAddressFromIpStringUnsafe(address, port)

  it("whose connection it is, by all four of its numbers", () => {
    const table =
      head +
      row("0100007F:1F90", "00000000:0000", "0A", 0) +
      row("0100007F:1F90", "0200007F:8000", "01", 1000) +
      row("0100007F:1F90", "0200007F:8001", "06", 0) +
      // Half over; and over for its program, whose it was nobody knows: not root's.
      row("0100007F:1F91", "0200007F:8001", "08", 1001) +
      row("0100007F:1F92", "0200007F:8001", "05", 0, 0)
    const owner = (local: [string, number], peer: [string, number]) =>
      IdentProcWire.ownerIn(table, { local: end(...local), peer: end(...peer) })
    assert.strictEqual(owner(["127.0.0.1", 8080], ["127.0.0.2", 32_768]), 1000)
    assert.strictEqual(owner(["::ffff:127.0.0.1", 8080], ["127.0.0.2", 32_768]), 1000)
    assert.isUndefined(owner(["127.0.0.1", 8080], ["127.0.0.3", 32_768]))
    assert.isUndefined(owner(["127.0.0.1", 8080], ["127.0.0.2", 32_769]))
    assert.isUndefined(owner(["127.0.0.1", 8081], ["127.0.0.2", 32_768]))
    assert.strictEqual(owner(["127.0.0.1", 8081], ["127.0.0.2", 32_769]), 1001)
    assert.isUndefined(owner(["127.0.0.1", 8082], ["127.0.0.2", 32_769]))
  })

  it("IPv6, and IPv4 in it", () => {
    const table =
      head +
      row("B80D0120000000000000000001000000:0071", "B80D0120000000000000000002000000:1000", "01", 7) +
      row("0000000000000000FFFF00000100007F:0050", "0000000000000000FFFF00000100007F:1000", "01", 8)
    assert.strictEqual(
      IdentProcWire.ownerIn(table, { local: end("2001:db8::1", 113), peer: end("2001:db8::2", 4096) }),
      7
    )
    assert.strictEqual(
      IdentProcWire.ownerIn(table, { local: end("127.0.0.1", 80), peer: end("127.0.0.1", 4096) }),
      8
    )
  })

  it("names of numbers", () => {
    const passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"
    assert.deepStrictEqual(
      [0, 1000, 10].map((uid) => IdentProcWire.nameIn(passwd, uid)),
      ["root", "alice", undefined]
    )
  })
})
